package aws

import (
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

// FuzzIndex decodes one foreign document of every kind, puts it into an estate beside good
// ones and asks questions that meet it: whatever it holds, there is an answer.
func FuzzIndex(f *testing.F) {
	for kind := range decoders {
		f.Add(kind, []byte(`{}`))
		f.Add(kind, []byte(`null`))
		f.Add(kind, []byte(`{"VpcId":"vpc-1","SubnetId":"s-pub"}`))
	}
	w := webWorld(f)
	lb := w.balancer("app", "web", "internet-facing", "sg-lb", "s-pub")
	w.node(lb, "s-pub", "10.0.1.100", "3.0.0.1", "sg-lb")
	w.listener(lb, "HTTP", 80, forward(w.targets("web", "HTTP", "ip", nil, "10.0.2.10:8080 b")))
	for _, key := range []string{
		"igw-1", "nat-1", "sg-app", "sg-lb", "acl-1", "rtb-main", "rtb-pub", "s-priv", "s-pub", "vpc-1", "eni-i-1", "i-1", lb,
	} {
		for _, r := range w.Rows(key) {
			f.Add(r.Asset.Kind, []byte(r.Asset.Doc))
		}
	}
	for _, r := range w.Rows(keyListeners(lb)) {
		f.Add(r.Asset.Kind, []byte(r.Asset.Doc))
	}
	for _, r := range w.Rows(keyTargetIn("vpc-1", "10.0.2.10")) {
		f.Add(r.Asset.Kind, []byte(r.Asset.Doc))
	}
	f.Fuzz(func(t *testing.T, kind string, raw []byte) {
		if !json.Valid(raw) || len(raw) > 1<<16 {
			return // the collector stores valid JSON only
		}
		w := webWorld(t)
		lb := w.balancer("app", "web", "internet-facing", "sg-lb", "s-pub")
		w.node(lb, "s-pub", "10.0.1.100", "3.0.0.1", "sg-lb")
		w.listener(lb, "HTTP", 80, forward(w.targets("web", "HTTP", "ip", nil, "10.0.2.10:8080 b")))
		w.machine("vpc-1", "s-pub", "i-2", "10.0.1.11", "52.0.0.11", "sg-open sg-fuzz")
		w.PutAsset(testScope, &triad.Asset{ID: "fuzz", Kind: kind, Section: "ec2-fuzz", Doc: raw})
		w.PutAsset(testScope, &triad.Asset{ID: "sg-fuzz", Kind: kind, Section: sectionGroups, Doc: raw})
		for _, q := range []string{
			"internet > i-1 tcp 8080", "i-1 > 8.8.8.8 tcp 443", "i-1 > i-2 udp 53", "internet > 3.0.0.1 tcp 80",
			"internet:2001:db8::1 > i-2 any", "i-2 > 10.0.2.10 any some",
		} {
			check(t, Query(w.Estate, ask(t, q)))
		}
		for _, r := range FromInternet(w.Estate, app, "tcp", 8080) {
			check(t, r)
		}
	})
}

// check states what holds for every result.
func check(t *testing.T, r reach.Result) {
	t.Helper()
	switch r.Verdict {
	case reach.Reachable:
		if r.BlockedBy != nil || len(r.Unread) > 0 {
			t.Fatalf("a reachable result names a stop or something unread: %+v", r)
		}
	case reach.Blocked:
		if r.BlockedBy == nil || r.BlockedBy.Type == "" {
			t.Fatalf("a blocked result names no stop: %+v", r)
		}
	case reach.Unknown:
		if len(r.Unread) == 0 {
			t.Fatalf("an unknown result names nothing unread: %+v", r)
		}
	default:
		t.Fatalf("the verdict is %q", r.Verdict)
	}
}

// FuzzQueries reads foreign queries and answers those that it takes.
func FuzzQueries(f *testing.F) {
	for _, s := range []string{
		`{"queries":[{"from":{"kind":"internet"},"to":{"kind":"instance","id":"i-1"},"protocol":"tcp","port":443}]}`,
		`[{"from":{"kind":"internet","ip":"203.0.113.7"},"to":{"kind":"ip","ip":"10.0.1.10"},"protocol":"any","port":"1-65535","match":"some"}]`,
		`{"queries":[{"from":{"kind":"instance","id":"i-1"},"to":{"kind":"ip","ip":"2001:db8::1"},"protocol":"107","source_port":"1-2"}]}`,
		`{"queries":[{"from":{"kind":"ip","ip":"::ffff:10.0.1.10"},"to":{"kind":"internet"},"protocol":"icmp"}]}`,
		`{"queries":null}`, `[]`, `{"queries":[{}]}`, `{"queries":[{"port":-1}]}`, `{"queries":[{"port":"9-1"}]}`,
	} {
		f.Add([]byte(s))
	}
	w := webWorld(f)
	w.machine("vpc-1", "s-pub", "i-2", "10.0.1.11", "52.0.0.11", "sg-open")
	f.Fuzz(func(t *testing.T, data []byte) {
		questions, err := ParseQueries(data)
		if err != nil {
			return
		}
		for i, q := range questions {
			if i > 20 {
				break
			}
			check(t, Query(w.Estate, q))
			if a, err := netip.ParseAddr(q.To.IP); err == nil {
				for _, r := range FromInternet(w.Estate, Target{Address: a}, q.Protocol, int(q.Port.Lo)) {
					check(t, r)
				}
			}
		}
	})
}
