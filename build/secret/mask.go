package secret

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// hidden stands for what is not shown. Its length says nothing of the secret's.
const hidden = "****"

// mask shows of a value only the part that tells its kind.
func mask(value []byte, shown int) string {
	if shown <= 0 || shown*2 > len(value) || !printable(value[:shown]) {
		return hidden
	}
	return string(value[:shown]) + hidden
}

// fingerprint names a secret, so that an exception can, and the same secret in two places is
// known as one. It needs no salt and so is the same everywhere: only values that the issuer
// drew at random have one, and of a hash of 100 random bits and more nobody finds the value.
// What people choose has none: of it a hash would be a way to try passwords.
func fingerprint(rule string, value []byte) string {
	h := sha256.New()
	h.Write([]byte("triad secret 1\n" + rule + "\n"))
	h.Write(value)
	return "secret:" + hex.EncodeToString(h.Sum(nil)[:10])
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
