package trust

import (
	"fmt"
	"time"
)

// verdictTTL is how long a verdict of trust may be kept where nothing ends it sooner: keys
// and identities are withdrawn by a new policy, which has another hash.
const verdictTTL = 24 * time.Hour

// maxSkew is how far a signer's clock may be ahead.
const maxSkew = 5 * time.Minute

// decide says from what was verified whether the image is trusted. The first of those that
// are attested is the image itself; where it is an index its images follow, and what must
// be attested is of the index or of each of them.
func (v *verifier) decide(verdict *Verdict, of []attested) {
	until := v.now.Add(verdictTTL)
	if len(verdict.Signatures) == 0 {
		verdict.Reasons = append(verdict.Reasons, noSignature(verdict))
	}
	for _, r := range v.policy.Attestations {
		ends, reason := v.requireAll(r, of)
		if reason != "" {
			verdict.Reasons = append(verdict.Reasons, reason)
		} else if !ends.IsZero() && ends.Before(until) {
			until = ends
		}
	}
	if verdict.Trusted = len(verdict.Reasons) == 0; verdict.Trusted {
		verdict.ValidUntil = until.UTC()
	}
}

// noSignature says why there is none that counts.
func noSignature(verdict *Verdict) string {
	switch n := len(verdict.Rejected); {
	case n == 0 && len(verdict.Attestations) == 0:
		return "there is no signature of " + verdict.Digest
	case n == 0:
		return fmt.Sprintf("there are attestations of %s but no signature", verdict.Digest)
	case n == 1:
		return "the signature does not count: " + verdict.Rejected[0].Reason
	default:
		return fmt.Sprintf("none of %d signatures and attestations is a signature that counts; the first: %s", n+len(verdict.Attestations), verdict.Rejected[0].Reason)
	}
}

// requireAll looks for an attestation of the image, else of each image of the index.
func (v *verifier) requireAll(r Requirement, of []attested) (ends time.Time, reason string) {
	ends, reason = v.require(r, of[0].attestations)
	if reason == "" || len(of) == 1 {
		return ends, reason
	}
	ends = time.Time{}
	for _, one := range of[1:] {
		end, why := v.require(r, one.attestations)
		if why != "" {
			return time.Time{}, "of " + one.digest + ": " + why
		}
		if ends.IsZero() || !end.IsZero() && end.Before(ends) {
			ends = end
		}
	}
	return ends, ""
}

// require looks for an attestation and returns when it will be too old (zero: never), or
// why there is none.
func (v *verifier) require(r Requirement, attestations []Statement) (ends time.Time, reason string) {
	reason = fmt.Sprintf("there is no %s attestation that counts", r.Kind)
	var newest time.Time
	found := false
	for _, a := range attestations {
		if !isKind(a.PredicateType, r.Kind) {
			continue
		}
		if r.Builder != "" && a.builder != r.Builder {
			reason = fmt.Sprintf("the %s says that %q built the image, not %q", r.Kind, clip(a.builder), r.Builder)
			continue
		}
		if r.MaxAge == 0 {
			return time.Time{}, ""
		}
		// A witnessed time is better than the signer's own word. The older of both counts:
		// an old scan signed anew is an old scan.
		at := a.MadeAt
		if at.IsZero() || !a.SignedAt.IsZero() && a.SignedAt.Before(at) {
			at = a.SignedAt
		}
		switch {
		case at.IsZero():
			reason = fmt.Sprintf("the %s attestation does not say when it was made, and must not be older than %s", r.Kind, r.MaxAge)
		case at.After(v.now.Add(maxSkew)):
			reason = fmt.Sprintf("the %s attestation says it was made at %s, which is yet to come", r.Kind, at.Format(time.RFC3339))
		case v.now.Sub(at) > r.MaxAge:
			reason = fmt.Sprintf("the %s attestation is of %s, older than %s", r.Kind, at.Format(time.RFC3339), r.MaxAge)
		case !found || at.After(newest):
			newest, found = at, true
		}
	}
	if found {
		return newest.Add(r.MaxAge), ""
	}
	return time.Time{}, reason
}
