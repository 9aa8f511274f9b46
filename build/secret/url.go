package secret

import (
	"bytes"
	"net/url"
	"strings"
)

// maxUserinfo bounds the user and password of a URL, in bytes.
const maxUserinfo = 320

// urlRules are passwords in URLs: scheme://user:password@host (RFC 3986, section 3.2.1).
func urlRules() []*rule {
	// The ends of the schemes that carry passwords: http, https, ftp, smtp, postgresql, postgres,
	// mongodb, mongodb+srv, redis, rediss, amqp, ldap, sqlserver, ssh, git, oracle, tcp, kafka, …
	words := []string{
		"tp://", "ps://", "ql://", "es://", "db://", "rv://", "is://", "ss://", "qp://", "ap://", "er://", "sh://", "it://", "le://", "cp://", "ka://",
		"ra://", "tt://", "mb://", "fs://", "dp://", "se://", "nc://", "ts://", "ws://", "st://", "ey://", "cs://", "as://",
	}
	return []*rule{{
		id: "password-in-url", title: "Password in a URL", severity: high, words: words, fold: true, classes: text,
		before: 0, after: maxUserinfo + 96, at: urlPassword,
	}}
}

func urlPassword(data []byte, pos int, c class) (match, bool) {
	from := pos + len("ps://")
	window := data[from:min(from+maxUserinfo, len(data))]
	colon, at := -1, -1
scan:
	for i, b := range window {
		switch {
		case b == '@':
			at = i
			break scan
		case b == ':' && colon < 0:
			colon = i
		case b <= ' ' || b >= 0x7f || strings.IndexByte("/?#<>\"'`\\,;|()[]", b) >= 0:
			break scan
		}
	}
	if at < 0 || colon < 0 || at-colon-1 < 3 {
		return match{}, false
	}
	user, password := string(window[:colon]), string(window[colon+1:at])
	host := data[from+at+1 : min(from+at+1+80, len(data))]
	if end := bytes.IndexFunc(host, func(r rune) bool { return !hostRune(r) }); end >= 0 {
		host = host[:end]
	}
	if len(host) == 0 || !plausibleHost(string(host)) || strings.ContainsAny(user, "${}%*<>") {
		return match{}, false
	}
	clear, err := url.PathUnescape(password)
	if err != nil || placeholder(clear) || strings.ContainsAny(password, "${}*") {
		return match{}, false
	}
	lower := strings.ToLower(clear)
	if c&third != 0 && (lower == strings.ToLower(user) || !mixed(clear)) {
		return match{}, false
	}
	for _, word := range []string{"pass", "password", "passwd", "pwd", "pw", "secret", "token", "user", "pswd", "123", "1234", "foo", "bar", "baz"} {
		if lower == word {
			return match{}, false
		}
	}
	m := match{start: from + colon + 1, end: from + at, name: user}
	if name, _, _ := strings.Cut(string(host), ":"); name == "localhost" || strings.HasPrefix(name, "127.") {
		m.severity = medium
	}
	return m, true
}

func hostRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_' || r == ':' || r == '[' || r == ']'
}

// plausibleHost leaves out the names that documentation uses (RFC 2606) and words in their place.
func plausibleHost(host string) bool {
	name := strings.ToLower(host)
	if i := strings.IndexByte(name, ':'); i > 0 {
		name = name[:i]
	}
	name = strings.TrimRight(name, ".")
	for _, end := range []string{"example", "example.com", "example.org", "example.net", "test", "invalid", "foo.com", "bar.com", "foo.bar"} {
		if name == end || strings.HasSuffix(name, "."+end) {
			return false
		}
	}
	switch name {
	case "", "host", "hostname", "server", "domain", "domain.com", "your-host", "yourhost", "foo", "bar", "proxy", "myhost", "somehost":
		return false
	}
	return true
}
