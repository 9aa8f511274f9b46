package match

import (
	"fmt"

	"github.com/triad-security/triad/build/advisory"
)

// Compare orders two versions as an ecosystem of OSV does ("Debian:12", "npm"): -1, 0 or 1.
// An error says that one of them is no version there, or that the two cannot be compared.
func Compare(ecosystem, a, b string) (int, error) {
	o := newOrder(advisory.Family(ecosystem))
	x, err := o.parse(a)
	if err != nil {
		return 0, err
	}
	y, err := o.parse(b)
	if err != nil {
		return 0, err
	}
	n, err := compare(&x, &y)
	if err != nil {
		return 0, fmt.Errorf("comparing %q with %q: %w", clip(a), clip(b), err)
	}
	return n, nil
}
