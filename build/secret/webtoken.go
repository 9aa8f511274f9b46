package secret

import (
	"bytes"
	"encoding/base64"

	"github.com/google/osv-scalibr/veles"
	"github.com/google/osv-scalibr/veles/secrets/azuretoken"
	"github.com/google/osv-scalibr/veles/secrets/common/jwt"
	"github.com/google/osv-scalibr/veles/secrets/hcp"
	"github.com/google/osv-scalibr/veles/secrets/supabase"
)

// maxWebToken is the longest JSON web token that is read, in bytes.
const maxWebToken = jwt.MaxTokenLength

// minHeader is the shortest header in base64: {"alg":"ES256"} has 20 characters.
const minHeader = 18

// webTokenRules are JSON web tokens (RFC 7519), signed.
func webTokenRules() []*rule {
	// How a header begins that has no spaces, in base64: {"alg" and the other names that are
	// registered for it (RFC 7515, section 4.1), or that issuers put first.
	var words []string
	for _, name := range []string{"alg", "typ", "kid", "cty", "enc", "jku", "jwk", "x5t", "x5u", "x5c", "zip", "crit", "iss", "b64", "nonce", "ver"} {
		text := base64.RawURLEncoding.EncodeToString([]byte(`{"` + name + `":`))
		words = append(words, text[:7]) // the first five bytes, the same whatever follows
	}
	return []*rule{{
		id: "json-web-token", title: "JSON web token", severity: medium, words: words, random: true, shown: 3,
		before: 1, after: maxWebToken, at: webToken,
	}}
}

// jwtExample is the signature of the token on jwt.io, which documentation everywhere repeats.
var jwtExample = []byte("SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c")

// issuers are veles' detectors of tokens that are worth more than the others.
var issuers = []struct {
	veles.Detector
	title, severity string
}{
	{supabase.NewServiceRoleJWTDetector(), "Supabase service role key", critical},
	{azuretoken.NewDetector(), "Azure access token", medium},
	{hcp.NewAccessTokenDetector(), "HashiCorp Cloud Platform access token", medium},
}

// webToken returns the token that begins at pos. What is no token is seen by its form: most
// that begins so is some other JSON in base64.
func webToken(data []byte, pos int, _ class) (match, bool) {
	if pos > 0 && (urlBase64(data[pos-1]) || data[pos-1] == '.') {
		return match{}, false
	}
	header := run(data[pos:])
	if header < minHeader || !bytes.HasPrefix(data[pos+header:], []byte(".eyJ")) {
		return match{}, false
	}
	payload := run(data[pos+header+1:])
	end := pos + header + 1 + payload
	if end >= len(data) || data[end] != '.' {
		return match{}, false
	}
	signature := run(data[end+1:])
	if end += 1 + signature; signature < 16 {
		return match{}, false
	}
	raw := data[pos:end]
	tokens, _ := jwt.ExtractTokens(raw)
	if len(tokens) != 1 || bytes.HasSuffix(raw, jwtExample) {
		return match{}, false
	}
	if algorithm, _ := tokens[0].Header()["alg"].(string); algorithm == "" || algorithm == "none" {
		return match{}, false
	}
	m := match{start: pos, end: end, shown: 3}
	claims := tokens[0].Payload()
	issuer, _ := claims["iss"].(string)
	if _, bound := claims["kubernetes.io"]; bound || issuer == "kubernetes/serviceaccount" {
		m.severity, m.title = high, "Kubernetes service account token"
		return m, true
	}
	for _, d := range issuers {
		if found, _ := d.Detect(raw); len(found) > 0 {
			m.severity, m.title = d.severity, d.title
			break
		}
	}
	return m, true
}

func urlBase64(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

// run is how many bytes of base64 for URLs there are at the beginning.
func run(data []byte) int {
	n := 0
	for n < len(data) && urlBase64(data[n]) {
		n++
	}
	return n
}
