package path_test

import (
	"strings"
	"testing"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/risk/path"
)

func TestDraw(t *testing.T) {
	for name, c := range map[string]struct {
		decision triad.Decision
		want     string
	}{
		"an open way ends at the port": {triad.Decision{
			Exposure: triad.ExposureOpen, Port: 8080, Asset: triad.AssetRef{Name: "shop/shop/web"},
			Proof: []triad.Hop{
				{Type: "internet"},
				{Type: "security-group", ID: "sg-1", Evidence: &triad.Evidence{Source: "ec2-describe-security-groups", Detail: "tcp 443 from 0.0.0.0/0"}},
			},
		}, "●  internet\n│\n●  security group  sg-1\n│    tcp 443 from 0.0.0.0/0  (ec2-describe-security-groups)\n│\n◎  shop/shop/web, port 8080\n"},
		"a stopped way ends at the stop": {triad.Decision{
			Exposure: triad.ExposureSmall, Proof: []triad.Hop{{Type: "internet"}},
			BlockedBy:     &triad.Hop{Type: "security-group", ID: "sg-1", Reason: "no rule for tcp 8080"},
			AlsoBlockedBy: []triad.Hop{{Type: "network-policy", ID: "shop/deny"}},
		}, "●  internet\n│\n✕  security group  sg-1\n     no rule for tcp 8080\n  and network policy  shop/deny\n"},
		"an unknown way says what was not read": {triad.Decision{
			Exposure: triad.ExposureUnknown, Unread: []triad.Unread{{Scope: "aws/1/eu", Section: "ec2-describe-network-acls", Reason: "access denied"}},
		}, "?  from here on it is not known:\n   aws/1/eu ec2-describe-network-acls: access denied\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			if err := path.Draw(&b, &c.decision); err != nil {
				t.Fatal(err)
			}
			if b.String() != c.want {
				t.Errorf("got\n%s\nwant\n%s", b.String(), c.want)
			}
		})
	}
}
