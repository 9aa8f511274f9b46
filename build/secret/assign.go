package secret

import (
	"bytes"
	"math"
	"strings"
	"unicode"
)

// Bounds of what is read around a word that names a secret, in bytes.
const (
	maxName  = 64
	maxValue = 512
)

// assignmentRules are values that stand with a name which says that they are secret.
func assignmentRules() []*rule {
	return []*rule{
		{
			id: "password-assignment", title: "Password in clear", severity: high, fold: true, classes: config | code,
			words:  []string{"passw", "passphrase", "pswd", "_pass", "dbpass", "_pwd"},
			before: maxName, after: maxName + maxValue + 32, at: assignment(false),
		},
		{
			id: "secret-assignment", title: "Secret in clear", severity: high, fold: true, classes: config | code,
			words: []string{
				"secret", "token", "api_key", "api-key", "apikey", "api.key", "access_key", "access-key", "accesskey", "private_key", "private-key", "privatekey",
				"auth_key", "authkey", "credential", "encryption_key", "encryptionkey", "signing_key", "signingkey", "master_key", "masterkey",
				"client-key-data", "\"auth\"", "_auth=", "_authtoken", "account_key", "accountkey", "license_key", "webhook_url",
			},
			before: maxName, after: maxName + maxValue + 32, at: assignment(true),
		},
	}
}

// assigned is a name and the value that it is given.
type assigned struct {
	name       string
	start, end int // of the value
	quoted     bool
}

// assignment returns the value that is assigned to the name around the word at pos.
func assignment(random bool) func([]byte, int, class) (match, bool) {
	return func(data []byte, pos int, c class) (match, bool) {
		if c&third != 0 {
			return match{}, false // somebody published it: only tokens of known form count there
		}
		a, ok := readAssignment(data, pos)
		if !ok || c&code != 0 && !a.quoted {
			return match{}, false
		}
		value := data[a.start:a.end]
		kind := secretName(a.name)
		if kind == notSecret || (kind == isPassword) == random {
			return match{}, false
		}
		m := match{start: a.start, end: a.end, name: a.name}
		if kind == isAuth {
			m.title = "Registry credentials in clear"
			return m, registryAuth(value)
		}
		if kind == isPassword {
			return m, passwordValue(string(value), c)
		}
		return m, tokenValue(string(value), c)
	}
}

// readAssignment reads name = value around pos in the forms of shells, settings files, JSON,
// YAML, XML and programs. It looks at maxName bytes to the left and right and maxValue of value.
func readAssignment(data []byte, pos int) (assigned, bool) {
	from := pos
	for from > 0 && pos-from < maxName && nameByte(data[from-1]) {
		from--
	}
	i := pos
	if i < len(data) && data[i] == '"' {
		i++ // the word has the quote before the name
		from = i
	}
	for i < len(data) && i-pos < maxName && nameByte(data[i]) {
		i++
	}
	a := assigned{name: string(data[from:i])}
	skip := func(set string) {
		for n := 0; i < len(data) && n < 16 && strings.IndexByte(set, data[i]) >= 0; n++ {
			i++
		}
	}
	xml := from > 0 && data[from-1] == '<'
	skip(`"']`)
	skip(" \t")
	if i >= len(data) {
		return a, false
	}
	switch data[i] {
	case '=':
		i++
		if i < len(data) && (data[i] == '=' || data[i] == '~') {
			return a, false
		}
		if i < len(data) && data[i] == '>' {
			i++
		}
	case ':':
		i++
		if i < len(data) && data[i] == '=' {
			i++
		} else if i < len(data) && data[i] == ':' {
			return a, false
		}
	case '>':
		if !xml {
			return a, false
		}
		i++
	default:
		return a, false
	}
	skip(" \t")
	if i >= len(data) {
		return a, false
	}
	end := i
	switch q := data[i]; q {
	case '"', '\'', '`':
		a.quoted = true
		i++
		for end = i; end < len(data) && end-i < maxValue && data[end] != q && data[end] != '\n'; end++ {
			if data[end] == '\\' && end+1 < len(data) {
				end++
			}
		}
		if end >= len(data) || data[end] != q {
			return a, false
		}
	default:
		stop := " \t\r\n\"'`,;"
		if xml {
			stop = "<\n"
		}
		for end < len(data) && end-i < maxValue && strings.IndexByte(stop, data[end]) < 0 {
			end++
		}
		// The rest of the line must be empty or a comment: a sentence is not a value.
		rest := data[end:min(end+3, len(data))]
		if !xml && len(rest) > 1 && rest[0] == ' ' && rest[1] != '#' && rest[1] != '/' && rest[1] != ';' && rest[1] != '&' && rest[1] != '\\' && rest[1] != '}' &&
			!bytes.ContainsRune(data[from:i], '=') {
			return a, false
		}
	}
	a.start, a.end = i, end
	return a, end > i && end-i < maxValue
}

func nameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.'
}

type nameKind int

const (
	notSecret nameKind = iota
	isPassword
	isToken
	isAuth // Docker's "auth"
)

// secretName says whether a value of this name is a secret: the name's last words must say so,
// so that password_file, token_url and secretName do not.
func secretName(name string) nameKind {
	parts := nameParts(name)
	for len(parts) > 1 {
		last := parts[len(parts)-1]
		if !number(last) && last != "value" && last != "prod" && last != "dev" && last != "staging" && last != "default" && last != "live" {
			break
		}
		parts = parts[:len(parts)-1]
	}
	if len(parts) == 0 {
		return notSecret
	}
	last, before := parts[len(parts)-1], ""
	if len(parts) > 1 {
		before = parts[len(parts)-2]
	}
	switch {
	case before == "no" || before == "allow" || before == "empty" || before == "use" || before == "require" || before == "public" || before == "csrf" || before == "xsrf" ||
		before == "next" || before == "page" || before == "continuation" || before == "cancellation":
		return notSecret
	}
	switch last {
	case "password", "passwd", "passphrase", "pswd", "pass", "pwd", "dbpassword", "dbpass", "userpassword", "rootpassword", "adminpassword", "authpassword":
		if len(parts) == 1 && (last == "pwd" || last == "pass") {
			return notSecret
		}
		return isPassword
	case "auth":
		return isAuth
	case "token", "secret", "credential", "credentials", "apikey", "authtoken", "accesstoken", "secretkey", "accesskey", "privatekey", "clientsecret", "authkey", "signingkey", "encryptionkey", "masterkey", "accountkey":
		return isToken
	case "key":
		switch before {
		case "api", "access", "secret", "private", "auth", "encryption", "signing", "master", "account", "license", "shared":
			return isToken
		}
	case "data":
		if before == "key" {
			return isToken // client-key-data of a kubeconfig
		}
	}
	return notSecret
}

// nameParts splits a name at its punctuation and at its humps, in lower case.
func nameParts(name string) []string {
	var parts []string
	var part strings.Builder
	flush := func() {
		if part.Len() > 0 {
			parts = append(parts, strings.ToLower(part.String()))
			part.Reset()
		}
	}
	previous := rune(0)
	for _, r := range name {
		switch {
		case r == '_' || r == '-' || r == '.':
			flush()
		case unicode.IsUpper(r) && unicode.IsLower(previous):
			flush()
			part.WriteRune(r)
		default:
			part.WriteRune(r)
		}
		previous = r
	}
	flush()
	return parts
}

// passwordValue says whether a value can be a password that somebody chose.
func passwordValue(value string, c class) bool {
	if len(value) < 4 || len(value) > 128 || placeholder(value) || reference(value) {
		return false
	}
	if c&code != 0 {
		return len(value) >= 8 && mixed(value) && !strings.ContainsAny(value, " \t")
	}
	return mixed(value) || entropy(value) >= 2.5 && len(value) >= 6 && !strings.ContainsAny(value, " \t.:/") && value != strings.ToUpper(value[:1])+strings.ToLower(value[1:])
}

// tokenValue says whether a value can be a token or key that was drawn.
func tokenValue(value string, c class) bool {
	if len(value) < 12 || placeholder(value) || reference(value) || strings.ContainsAny(value, " \t") {
		return false
	}
	bits := 3.0
	if c&code != 0 {
		if len(value) < 16 {
			return false
		}
		bits = 3.5
	}
	return digits(value) >= 2 && mixed(value) && entropy(value) >= bits && !dotted(value)
}

// placeholders stand where a value is to be put in.
var placeholders = []string{
	"example", "changeme", "change_me", "change-me", "changeit", "placeholder", "your", "xxxx", "****", "....", "redacted", "dummy", "sample", "insert", "replace",
	"fixme", "todo", "undefined", "not_set", "notset", "unset", "not-set", "<", ">", "foobar", "fake", "mock", "00000000", "12345678", "abcdef", "password", "secret_", "my_", "my-", "mysecret", "mytoken", "_here", "-here",
}

func placeholder(value string) bool {
	lower := strings.ToLower(value)
	for _, word := range placeholders {
		if strings.Contains(lower, word) {
			return true
		}
	}
	switch lower {
	case "true", "false", "yes", "no", "none", "null", "nil", "on", "off", "test", "testing", "secret", "token", "string", "bool", "optional", "required", "empty", "enabled", "disabled", "auto", "default", "basic", "bearer":
		return true
	}
	return strings.Count(lower, lower[:min(1, len(lower))]) == len(lower)
}

// reference says whether a value only says where the secret is: a variable, a call, a path,
// the name of something.
func reference(value string) bool {
	switch value[0] {
	case '$', '%', '{', '@', '&', '*', '!', '[', '(', '/', '~', '.', '-', '|', '<', '\\', '=', '+':
		return true
	}
	if strings.Contains(value, "${") || strings.Contains(value, "$(") || strings.Contains(value, "{{") || strings.Contains(value, "#{") || strings.Contains(value, "://") ||
		strings.ContainsAny(value, "()[]{}") || strings.Contains(value, "%s") || strings.Contains(value, "\\n") || strings.Contains(value, "$") && strings.ToUpper(value) == value {
		return true
	}
	lower := strings.ToLower(value)
	for _, prefix := range []string{"env.", "env:", "os.", "process.", "var.", "local.", "data.", "module.", "vault:", "vault/", "secret:", "secrets.", "ref+", "ref:", "arn:", "sha256", "sha512", "md5", "file:", "self.", "this.", "ssm:", "op:", "http", "kms:", "enc[", "projects/", "keyvault"} {
		if strings.HasPrefix(lower, prefix) {
			return true
		}
	}
	return false
}

// dotted says whether a value is names joined by dots, as of a class or a property.
func dotted(value string) bool {
	parts := strings.FieldsFunc(value, func(r rune) bool { return r == '.' || r == '/' || r == ':' || r == '-' || r == '_' })
	if len(parts) < 3 {
		return false
	}
	for _, part := range parts {
		if entropyBits(part) > 48 && digits(part) > 0 {
			return false
		}
	}
	return true
}

// mixed says whether a value has a letter and a digit, or a sign that words do not have.
func mixed(value string) bool {
	var letter, digit, sign bool
	for _, r := range value {
		switch {
		case r >= '0' && r <= '9':
			digit = true
		case unicode.IsLetter(r):
			letter = true
		case strings.ContainsRune("!@#$%^&*+=?~", r):
			sign = true
		}
	}
	return letter && (digit || sign)
}

func digits(value string) int {
	n := 0
	for i := range len(value) {
		if value[i] >= '0' && value[i] <= '9' {
			n++
		}
	}
	return n
}

func number(s string) bool { return s != "" && digits(s) == len(s) }

// entropy is Shannon's, in bits per byte, of the value's own bytes.
func entropy(value string) float64 {
	var count [256]int
	for i := range len(value) {
		count[value[i]]++
	}
	var bits float64
	for _, n := range count {
		if n > 0 {
			p := float64(n) / float64(len(value))
			bits -= p * math.Log2(p)
		}
	}
	return bits
}

func entropyBits(value string) float64 { return entropy(value) * float64(len(value)) }

func printable(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}
