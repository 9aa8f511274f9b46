package manifest

import (
	"regexp"
	"strings"
)

// Masked stands in place of a secret.
const Masked = "***"

var (
	// secretName are the words by which people name variables and options that hold secrets.
	secretName = regexp.MustCompile(`(?i)(passw(or)?d|passphrase|passwd|\bpwd\b|_pwd$|^pwd_|secret|token|credential|api[-_.]?key|access[-_.]?key|private[-_.]?key|signing[-_.]?key|encryption[-_.]?key|account[-_.]?key|auth(orization)?$|auth[-_.]?key|cookie|session[-_.]?key|connection[-_.]?string|\bdsn\b|_dsn$|salt$)`)
	// notSecret are names that hold one of those words and point at a secret instead of being it.
	notSecret = regexp.MustCompile(`(?i)([-_.](file|path|dir|name|arn|id|url|uri|endpoint|ttl|expir[a-z]*|type|mode|issuer|audience|enabled|version|namespace|header|algorithm)s?$)`)

	userinfo = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://[^/\s:@]*:)[^/\s@]+@`)
	// Formats that their issuers document: AWS, GitHub, GitLab, Slack, Google, Stripe, JWT (RFC 7519), PEM (RFC 7468).
	secretForm = regexp.MustCompile(`\b(A(KI|SI)A[A-Z0-9]{16}|gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,}|glpat-[A-Za-z0-9_-]{20,}|xox[abposr]-[A-Za-z0-9-]{10,}|AIza[A-Za-z0-9_-]{35}|[sr]k_live_[A-Za-z0-9]{16,}|eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*)`)
	pemBlock   = regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*`)
	bearer     = regexp.MustCompile(`(?i)\b((?:authorization:\s*)?(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}`)
	assignment = regexp.MustCompile(`([A-Za-z_][A-Za-z0-9_.-]*)=("[^"]*"|'[^']*'|[^\s&;,"']+)`)
)

// MaskEnv masks the value of an environment variable whose name or value looks secret.
func MaskEnv(name, value string) string {
	if value != "" && secretName.MatchString(name) && !notSecret.MatchString(name) {
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
	value = pemBlock.ReplaceAllString(value, Masked)
	value = userinfo.ReplaceAllString(value, "${1}"+Masked+"@")
	value = secretForm.ReplaceAllString(value, Masked)
	value = bearer.ReplaceAllString(value, "${1}"+Masked)
	return assignment.ReplaceAllStringFunc(value, func(pair string) string {
		name, _, _ := strings.Cut(pair, "=")
		if secretName.MatchString(name) && !notSecret.MatchString(name) {
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
			secretName.MatchString(name) && !notSecret.MatchString(name)
	}
	return masked
}
