package secret

import (
	"bytes"
	"fmt"
	"path"
	"strings"
	"sync"
)

// format reads a file whose form its name tells, and which is small: it is read whole.
type format func(data []byte) []match

// namedFormat returns the reader for a file that has a form of its own; nil for others.
func namedFormat(name string) format {
	switch base := strings.ToLower(path.Base(name)); base {
	case ".netrc", "_netrc", ".authinfo":
		return netrc
	case ".pgpass", "pgpass.conf":
		return pgpass
	case ".htpasswd", "htpasswd":
		return htpasswd
	case "shadow", "shadow-", "gshadow":
		if strings.TrimPrefix(name, "/") == "etc/"+base {
			return htpasswd
		}
	}
	return nil
}

// whole applies the named format to the first block.
func (s *sink) whole(end bool) {
	if !end {
		s.err = fmt.Errorf("%s: more than the %d bytes that are read of such a file", s.name, block)
		return
	}
	for _, m := range s.named(s.buf) {
		s.note(span{rule: namedRule()}, m)
	}
}

// namedRule is the index of the rule that findings of named formats go by.
var namedRule = sync.OnceValue(func() int {
	for i, r := range rules() {
		if r.id == "password-assignment" {
			return i
		}
	}
	panic("secret: no rule for passwords")
})

// netrc finds the passwords of ftp(1)'s .netrc: tokens in pairs, over any lines.
func netrc(data []byte) []match {
	var matches []match
	machine, previous := "", ""
	for at := 0; at < len(data); {
		for at < len(data) && (data[at] <= ' ') {
			at++
		}
		start := at
		for at < len(data) && data[at] > ' ' {
			at++
		}
		token := string(data[start:at])
		switch previous {
		case "machine":
			machine = token
		case "password", "account":
			if !placeholder(token) && len(token) > 3 {
				matches = append(matches, match{start: start, end: at, name: machine, title: "Password in a netrc file"})
			}
		}
		if previous == "machine" || previous == "password" || previous == "login" || previous == "account" {
			previous = ""
		} else {
			previous = token
		}
	}
	return matches
}

// pgpass finds the passwords of libpq's password file: host:port:database:user:password.
func pgpass(data []byte) []match {
	var matches []match
	lines(data, func(start int, line []byte) {
		fields := bytes.SplitN(line, []byte(":"), 5)
		if len(fields) != 5 || line[0] == '#' || len(fields[4]) == 0 || placeholder(string(fields[4])) {
			return
		}
		end := start + len(line)
		matches = append(matches, match{start: end - len(fields[4]), end: end, name: string(fields[0]) + "/" + string(fields[3]), title: "Password in a PostgreSQL password file"})
	})
	return matches
}

// htpasswd finds password hashes of users: name:hash, as in shadow(5) and Apache's files.
func htpasswd(data []byte) []match {
	var matches []match
	lines(data, func(start int, line []byte) {
		name, rest, _ := bytes.Cut(line, []byte(":"))
		hash, _, _ := bytes.Cut(rest, []byte(":"))
		if len(hash) < 10 || hash[0] != '$' && !bytes.HasPrefix(hash, []byte("{SHA}")) && len(hash) != 13 || bytes.ContainsAny(hash, "*! ") {
			return
		}
		at := start + len(name) + 1
		matches = append(matches, match{start: at, end: at + len(hash), name: string(name), title: "Password hash of a user", severity: medium})
	})
	return matches
}

// lines calls f for each line that is not empty, without its line end.
func lines(data []byte, f func(start int, line []byte)) {
	for start := 0; start < len(data); {
		end := bytes.IndexByte(data[start:], '\n')
		if end < 0 {
			end = len(data) - start
		}
		if line := bytes.TrimRight(data[start:start+end], "\r"); len(line) > 0 {
			f(start, line)
		}
		start += end + 1
	}
}
