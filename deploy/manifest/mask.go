package manifest

import (
	"regexp"
	"strings"
)

// Masked stands in place of a secret.
const Masked = "***"

// maxValue bounds the texts that are searched for secrets; a longer one is masked whole.
const maxValue = 64 << 10

var (
	// secretName are the words by which people name variables and options that hold secrets.
	secretName = regexp.MustCompile(`(?i)(passw(or)?d|passphrase|passwd|\bpwd\b|_pwd$|^pwd_|secret|token|credentials?|api[-_.]?key|access[-_.]?key|private[-_.]?key|signing[-_.]?key|encryption[-_.]?key|account[-_.]?key|auth(orization)?$|auth[-_.]?key|cookie|session[-_.]?key|connection[-_.]?string|\bdsn\b|_dsn$|salt$)`)
	// notSecret are names that hold one of those words and point at a secret instead of being it.
	notSecret = regexp.MustCompile(`(?i)([-_.](file|path|dir|name|arn|id|url|uri|endpoint|ttl|expir[a-z]*|type|mode|issuer|audience|enabled|version|namespace|header|algorithm)s?$)`)

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
	return secretName.MatchString(name) && !notSecret.MatchString(name)
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
	value = pemBlock.ReplaceAllString(value, Masked)
	value = userinfo.ReplaceAllString(value, "${1}"+Masked+"@")
	value = secretForm.ReplaceAllString(value, Masked)
	value = bearer.ReplaceAllString(value, "${1}"+Masked)
	value = jsonPair.ReplaceAllStringFunc(value, func(pair string) string {
		if m := jsonPair.FindStringSubmatch(pair); namesSecret(m[1]) {
			return `"` + m[1] + `"` + m[2] + `"` + Masked + `"`
		}
		return pair
	})
	return assignment.ReplaceAllStringFunc(value, func(pair string) string {
		if name, _, _ := strings.Cut(pair, "="); namesSecret(name) {
			return name + "=" + Masked
		}
		return pair
	})
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
