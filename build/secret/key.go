package secret

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"regexp"
)

// maxKey is the longest private key in PEM: RSA with 16,384 bits has 12.5 kB.
const maxKey = 16 << 10

// keyRules are private keys in their textual forms.
func keyRules() []*rule {
	return []*rule{
		{
			id: "private-key", title: "Private key", severity: high, words: []string{"-----BEGIN "}, random: true,
			before: 0, after: maxKey, at: pemKey,
		},
		{
			id: "putty-private-key", title: "PuTTY private key", severity: high, words: []string{"PuTTY-User-Key-File-"}, random: true,
			before: 0, after: maxKey, at: puttyKey,
		},
	}
}

var (
	keyHeader = regexp.MustCompile(`^-----BEGIN ((?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?)-----`)
	// Written \n in a string, perhaps in several that are joined; or a line's end, the next
	// line indented, quoted or with the mark of a comment or list.
	lineEnds = regexp.MustCompile(`(?:\\r)?\\n(?:["'][ \t]*[+\\]?[ \t]*\r?\n?[ \t]*["'])?[ \t]*|\r?\n[ \t]*(?:[+>#*]+[ \t]+)?["']?`)
)

// pemKey returns the private key that begins at pos, if there is one: a header alone, or
// one whose body is no key, is none. Line ends may be written \n, as in JSON.
func pemKey(data []byte, pos int, _ class) (match, bool) {
	header := keyHeader.FindSubmatch(data[pos:min(pos+64, len(data))])
	if header == nil {
		return match{}, false
	}
	kind := string(header[1])
	body := pos + len(header[0])
	trailer := []byte("-----END " + kind + "-----")
	window := data[body:min(pos+maxKey, len(data))]
	// The next dashes must be the trailer's: of headers without end there can be many.
	end := bytes.Index(window, []byte("-----"))
	if end < 32 || !bytes.HasPrefix(window[end:], trailer) {
		return match{}, false
	}
	m := match{start: body, end: body + end}
	text := lineEnds.ReplaceAll(window[:end], []byte("\n"))
	encrypted, ok := privateKey(kind, text)
	if ok && encrypted {
		m.severity, m.title = medium, "Private key, encrypted with a passphrase"
	}
	return m, ok
}

// privateKey says whether the text between header and trailer is a private key, and whether
// a passphrase protects it.
func privateKey(kind string, text []byte) (encrypted, ok bool) {
	if kind == "PGP PRIVATE KEY BLOCK" {
		// The armour does not say whether the key in it is protected.
		return false, len(decode(text)) > 64
	}
	block, _ := pem.Decode(append(append([]byte("-----BEGIN "+kind+"-----\n"), bytes.TrimLeft(text, "\n")...), "\n-----END "+kind+"-----\n"...))
	der := []byte(nil)
	if block != nil {
		der = block.Bytes
		if block.Headers["DEK-Info"] != "" {
			return true, len(der) > 32
		}
	} else {
		der = decode(text)
	}
	switch kind {
	case "OPENSSH PRIVATE KEY":
		// "openssh-key-v1", NUL, then the cipher's name with its length: "none" is in clear.
		rest, found := bytes.CutPrefix(der, []byte("openssh-key-v1\x00"))
		return !bytes.HasPrefix(rest, []byte("\x00\x00\x00\x04none")), found && len(rest) > 64
	case "ENCRYPTED PRIVATE KEY":
		return true, sequence(der)
	case "RSA PRIVATE KEY":
		_, err := x509.ParsePKCS1PrivateKey(der)
		return false, err == nil || sequence(der) && len(der) > 256
	case "EC PRIVATE KEY":
		_, err := x509.ParseECPrivateKey(der)
		return false, err == nil || sequence(der)
	default:
		_, err := x509.ParsePKCS8PrivateKey(der)
		return false, err == nil || sequence(der)
	}
}

// sequence says whether this is one whole ASN.1 sequence, as keys are that the standard
// library does not know (other curves, DSA).
func sequence(der []byte) bool {
	if len(der) < 24 || der[0] != 0x30 {
		return false
	}
	n, head := int(der[1]), 2
	switch {
	case n == 0x81:
		n, head = int(der[2]), 3
	case n == 0x82:
		n, head = int(der[2])<<8|int(der[3]), 4
	case n > 0x80:
		return false
	}
	return head+n == len(der)
}

// decode reads base64 that may have headers before it, line ends and a checksum line.
func decode(text []byte) []byte {
	var clean []byte
	for _, line := range bytes.Split(text, []byte("\n")) {
		line = bytes.TrimSpace(line)
		if bytes.Contains(line, []byte(":")) || bytes.HasPrefix(line, []byte("=")) {
			continue
		}
		clean = append(clean, line...)
	}
	out, err := base64.StdEncoding.DecodeString(string(clean))
	if err != nil {
		return nil
	}
	return out
}

var puttyBody = regexp.MustCompile(`(?s)^PuTTY-User-Key-File-[0-9]: [^\n]{1,64}\nEncryption: ([^\n]{1,32}).+?\nPrivate-Lines: [0-9]{1,4}\r?\n((?:[A-Za-z0-9+/=]{1,64}\r?\n)+)`)

func puttyKey(data []byte, pos int, _ class) (match, bool) {
	at := puttyBody.FindSubmatchIndex(data[pos:min(pos+maxKey, len(data))])
	if at == nil {
		return match{}, false
	}
	m := match{start: pos + at[4], end: pos + at[5]}
	if cipher := bytes.TrimSpace(data[pos+at[2] : pos+at[3]]); string(cipher) != "none" {
		m.severity, m.title = medium, "PuTTY private key, encrypted with a passphrase"
	}
	return m, true
}
