package manifest

import (
	"regexp"
	"slices"
	"strings"
)

// Masked stands in place of a secret.
const Masked = "***"

// maxValue bounds the texts that are searched for secrets; a longer one is masked whole.
const maxValue = 64 << 10

// shortestToken is the length of the shortest form in secretForm: eyJ…, eyJ….
const shortestToken = 20

// secretWords are those by which people name variables and options that hold secrets;
// secretEnds only count at the end of a name, or as a word of their own.
var (
	secretWords = []string{
		"password", "passwd", "passphrase", "passwort", "secret", "token", "credential", "cookie",
		"api_key", "apikey", "access_key", "accesskey", "private_key", "privatekey", "signing_key",
		"encryption_key", "account_key", "auth_key", "session_key", "connection_string", "connectionstring",
	}
	secretEnds = []string{"pwd", "pass", "auth", "authorization", "dsn", "salt"}
	// pointers end the names of what points at a secret or describes it instead of being it.
	pointers = []string{
		"file", "path", "dir", "name", "arn", "id", "url", "uri", "endpoint", "ttl", "type", "mode", "issuer",
		"audience", "enabled", "version", "namespace", "header", "algorithm", "expiry", "expires", "expiration",
	}
	separators = strings.NewReplacer("-", "_", ".", "_")
)

var (
	userinfo = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://[^/\s:@]*:)[^/\s@]+@`)
	// Formats that their issuers document: AWS, GitHub, GitLab, Slack, Google, Stripe, JWT (RFC 7519), PEM (RFC 7468).
	secretForm = regexp.MustCompile(`\b(A(KI|SI)A[A-Z0-9]{16}|gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,}|glpat-[A-Za-z0-9_-]{20,}|xox[abposr]-[A-Za-z0-9-]{10,}|AIza[A-Za-z0-9_-]{35}|[sr]k_live_[A-Za-z0-9]{16,}|eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*)`)
	pemBlock   = regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*`)
	bearer     = regexp.MustCompile(`(?i)\b((?:authorization:\s*)?(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}`)
	jsonPair   = regexp.MustCompile(`"([A-Za-z_][A-Za-z0-9_.-]*)"(\s*:\s*)"(?:[^"\\]|\\.)*"`)
	assignment = regexp.MustCompile(`([A-Za-z_][A-Za-z0-9_.-]*)=("[^"]*"|'[^']*'|[^\s&;,"']+)`)
)

// namesSecret reports whether a name is that of a secret.
func namesSecret(name string) bool {
	name = separators.Replace(strings.ToLower(name))
	last := name[strings.LastIndexByte(name, '_')+1:]
	if last != name && (slices.Contains(pointers, last) || slices.Contains(pointers, strings.TrimSuffix(last, "s"))) {
		return false
	}
	if slices.Contains(secretEnds, last) {
		return true
	}
	return slices.ContainsFunc(secretWords, func(word string) bool { return strings.Contains(name, word) })
}

// MaskEnv masks the value of an environment variable whose name or value looks secret.
func MaskEnv(name, value string) string {
	if value != "" && namesSecret(name) {
		return Masked
	}
	return MaskValue(value)
}

// MaskValue masks the parts of a text that have the form of a secret: passwords in URLs,
// tokens of known formats, private keys, name=value pairs with a secret's name.
func MaskValue(value string) string {
	if value == "" {
		return value
	}
	if len(value) > maxValue {
		return Masked
	}
	// Each form is looked for only where its own mark is: most values hold none.
	has := func(mark string) bool { return strings.Contains(value, mark) }
	if has("-----BEGIN ") {
		value = pemBlock.ReplaceAllString(value, Masked)
	}
	if has("://") && has("@") {
		value = userinfo.ReplaceAllString(value, "${1}"+Masked+"@")
	}
	if len(value) >= shortestToken {
		value = secretForm.ReplaceAllString(value, Masked)
	}
	if has(" ") {
		value = bearer.ReplaceAllString(value, "${1}"+Masked)
	}
	if has(`"`) {
		value = jsonPair.ReplaceAllStringFunc(value, func(pair string) string {
			if m := jsonPair.FindStringSubmatch(pair); namesSecret(m[1]) {
				return `"` + m[1] + `"` + m[2] + `"` + Masked + `"`
			}
			return pair
		})
	}
	if has("=") {
		value = assignment.ReplaceAllStringFunc(value, func(pair string) string {
			if name, _, _ := strings.Cut(pair, "="); namesSecret(name) {
				return name + "=" + Masked
			}
			return pair
		})
	}
	return value
}

// MaskArgs masks a command line: options with a secret's name (--password=x, --password x)
// and values that look secret.
func MaskArgs(args []string) []string {
	masked := make([]string, len(args))
	hide := false
	for i, arg := range args {
		switch {
		case hide && !strings.HasPrefix(arg, "-"):
			masked[i] = Masked
		default:
			masked[i] = MaskValue(arg)
		}
		name := strings.TrimLeft(arg, "-")
		hide = strings.HasPrefix(arg, "-") && !strings.ContainsAny(arg, "= ") &&
			namesSecret(name)
	}
	return masked
}
