package decision

import (
	"fmt"
	"strings"

	"github.com/triad-security/triad"
)

// The deployer table of CERT/CC's Stakeholder-Specific Vulnerability Categorization (SSVC),
// "Deployer Patch Application Priority" 1.0.0 (ssvc:DT_DP:1.0.0), 72 rows. Copyright
// Carnegie Mellon University, Software Engineering Institute; its MIT-style (SEI) licence
// allows copying with this notice.
//
// One line for each Exploitation and System Exposure; in it one letter for each Automatable
// (no, then yes) and Human Impact (low, medium, high, very high).
var table = [9]string{
	// none
	"ddss dsss", // small
	"dsss ssss", // controlled
	"dsss ssso", // open
	// public poc
	"dsss ssss", // small
	"dsss ssso", // controlled
	"ssso ssoo", // open
	// active
	"ssoo sooo", // small
	"ssoo oooo", // controlled
	"sooi ooii", // open
}

var outcomes = map[byte]triad.Outcome{
	'd': triad.Defer, 's': triad.Scheduled, 'o': triad.OutOfCycle, 'i': triad.Immediate,
}

var (
	exploitations = []string{"none", "public-poc", "active"}
	exposures     = []triad.Exposure{triad.ExposureSmall, triad.ExposureControlled, triad.ExposureOpen}
	automatables  = []string{"no", "yes"}
	// Impacts are the values of Human Impact, lowest first.
	impacts = []string{"low", "medium", "high", "very-high"}
)

// Decide looks an outcome up and returns it with its row number in the published table.
// Unknown exposure counts as open. Values are spelt as in triad.Decision; the published
// spelling with spaces is taken too.
func Decide(exploitation string, exposure triad.Exposure, automatable, impact string) (triad.Outcome, int, error) {
	if exposure == triad.ExposureUnknown {
		exposure = triad.ExposureOpen
	}
	e := index(exploitations, hyphens(exploitation))
	x := index(exposures, exposure)
	a := index(automatables, automatable)
	h := index(impacts, hyphens(impact))
	if e < 0 || x < 0 || a < 0 || h < 0 {
		return "", 0, fmt.Errorf("SSVC has no row for exploitation %q, exposure %q, automatable %q, impact %q",
			exploitation, exposure, automatable, impact)
	}
	line := strings.ReplaceAll(table[3*e+x], " ", "")
	return outcomes[line[4*a+h]], 24*e + 8*x + 4*a + h, nil
}

// HigherImpact returns the higher of two Human Impact values.
func HigherImpact(a, b string) string {
	if index(impacts, b) > index(impacts, a) {
		return b
	}
	return a
}

func hyphens(s string) string { return strings.ReplaceAll(s, " ", "-") }

func index[T comparable](values []T, v T) int {
	for i, x := range values {
		if x == v {
			return i
		}
	}
	return -1
}
