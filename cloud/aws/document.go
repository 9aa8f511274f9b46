package aws

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Bounds of foreign documents.
const (
	maxFile  = 512 << 20 // bytes of one call's output
	maxDoc   = 4 << 20   // bytes of one asset's document
	maxDepth = 64        // nesting of a call's output
	maxList  = 2_000_000 // elements of one list
)

var errShape = errors.New("not the output of this call")

// object decodes one level of a JSON object.
func object(raw json.RawMessage) (map[string]json.RawMessage, error) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, shapeError(err)
	}
	if m == nil {
		return nil, fmt.Errorf("%w: null where an object is due", errShape)
	}
	return m, nil
}

func shapeError(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Errorf("%w: found a JSON %s", errShape, wrong.Value)
	}
	return err
}

// checkDepth refuses JSON that nests deeper than maxDepth, before anything recurses into it.
func checkDepth(raw []byte) error {
	depth, inString, escaped := 0, false, false
	for _, c := range raw {
		switch {
		case escaped:
			escaped = false
		case inString:
			switch c {
			case '\\':
				escaped = true
			case '"':
				inString = false
			}
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return fmt.Errorf("nests deeper than %d levels", maxDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// elements returns the elements at a path such as "Reservations.Instances", flattening the
// lists on the way. An object at its end is a list of one.
func elements(m map[string]json.RawMessage, path string) ([]json.RawMessage, error) {
	head, rest, more := strings.Cut(path, ".")
	raw, ok := m[head]
	if !ok {
		return nil, fmt.Errorf("%w: it has no %q", errShape, head)
	}
	var list []json.RawMessage
	switch trimmed := bytes.TrimSpace(raw); {
	case len(trimmed) > 0 && trimmed[0] == '[':
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, fmt.Errorf("reading %s: %w", head, err)
		}
	case len(trimmed) > 0 && trimmed[0] == '{':
		list = []json.RawMessage{raw}
	default:
		return nil, fmt.Errorf("%w: %q is not a list", errShape, head)
	}
	if !more {
		return list, nil
	}
	var out []json.RawMessage
	for _, raw := range list {
		inner, err := object(raw)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", head, err)
		}
		found, err := elements(inner, rest)
		if err != nil {
			return nil, err
		}
		if out = append(out, found...); len(out) > maxList {
			return nil, fmt.Errorf("more than %d elements", maxList)
		}
	}
	return out, nil
}

// truncated names the sign that a call's output goes on elsewhere; empty when it is whole.
func truncated(m map[string]json.RawMessage) string {
	for _, key := range []string{"NextToken", "nextToken", "NextMarker", "Marker"} {
		var s string
		if json.Unmarshal(m[key], &s) == nil && s != "" {
			return key + " is present"
		}
	}
	for _, key := range []string{"IsTruncated", "AdditionalRoutesAvailable"} {
		var b bool
		if json.Unmarshal(m[key], &b) == nil && b {
			return key + " is true"
		}
	}
	return ""
}

// canonical rewrites a document: keys sorted, nulls dropped, secrets masked, policies that are
// strings (the API's percent-encoding or the CLI's quoting) decoded.
func canonical(raw json.RawMessage) (json.RawMessage, error) {
	var v any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	out, err := marshal(clean(v, ""))
	if err == nil && len(out) > maxDoc {
		return nil, fmt.Errorf("a document of %d bytes is over the limit of %d", len(out), maxDoc)
	}
	return out, err
}

func marshal(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

const masked = "REDACTED"

// clean applies canonical's changes below key.
func clean(v any, key string) any {
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			switch {
			case inner == nil:
				delete(v, k)
			case secretKey(k):
				if _, ok := inner.(string); ok {
					v[k] = masked
				}
			case key == "Environment" && k == "Variables":
				v[k] = maskValues(inner)
			default:
				v[k] = clean(inner, k)
			}
		}
		return v
	case []any:
		for i := range v {
			v[i] = clean(v[i], key)
		}
		return v
	case string:
		if policyKey(key) {
			if decoded, ok := decodePolicy(v); ok {
				return decoded
			}
		}
	}
	return v
}

// secretKey: fields of the API that carry a secret. VPN configurations hold pre-shared keys.
func secretKey(k string) bool {
	switch k {
	case "PreSharedKey", "CustomerGatewayConfiguration", "MasterUserPassword", "UserData", "AuthToken",
		"SecretAccessKey", "SessionToken", "KeyMaterial", "PrivateKey":
		return true
	}
	return false
}

func maskValues(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return masked
	}
	for k := range m {
		m[k] = masked
	}
	return m
}

func policyKey(k string) bool {
	switch k {
	case "Policy", "PolicyDocument", "AssumeRolePolicyDocument", "Document":
		return true
	}
	return false
}

// decodePolicy decodes a policy given as a string: JSON, or JSON percent-encoded as RFC 3986.
func decodePolicy(s string) (any, bool) {
	if strings.HasPrefix(strings.TrimSpace(s), "%7B") {
		plain, err := url.PathUnescape(s)
		if err != nil {
			return nil, false
		}
		s = plain
	}
	if !strings.HasPrefix(strings.TrimSpace(s), "{") || checkDepth([]byte(s)) != nil {
		return nil, false
	}
	var m map[string]any
	dec := json.NewDecoder(strings.NewReader(s))
	dec.UseNumber()
	if dec.Decode(&m) != nil || dec.More() {
		return nil, false
	}
	return clean(m, ""), true
}
