package storetest

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/triad-security/triad"
)

// Load makes a full report of an account: network interfaces with documents of the usual
// size, each with four relations.
func Load(revision int64, assets int) *triad.Report {
	r := &triad.Report{
		Tenant: tenant, Scope: scope, Collector: "aws/1", Taken: time.UnixMilli(revision), Revision: revision,
		Sections: []triad.Section{{Name: "ec2-describe-network-interfaces", Status: triad.SectionComplete}},
	}
	for i := range assets {
		id := fmt.Sprintf("eni-%017x", i)
		r.Assets = append(r.Assets, triad.Asset{
			ID: id, Type: triad.TypeNetworkInterface, Kind: "NetworkInterface", Name: "node", Section: r.Sections[0].Name,
			Tags: map[string]string{"kubernetes.io/cluster/prod": "owned"},
			Doc: json.RawMessage(fmt.Sprintf(`{"NetworkInterfaceId":%q,"Groups":[{"GroupId":"sg-%08x","GroupName":"nodes"}],"PrivateIpAddress":"10.%d.%d.%d",`+
				`"SubnetId":"subnet-%08x","VpcId":"vpc-0a1b2c3d","Status":"in-use","SourceDestCheck":true,"InterfaceType":"interface",`+
				`"Attachment":{"AttachTime":"2026-01-01T00:00:00Z","AttachmentId":"eni-attach-%08x","DeviceIndex":0,"InstanceId":"i-%017x","Status":"attached"}}`,
				id, i%50, i>>16&255, i>>8&255, i&255, i%20, i, i)),
		})
		for n := range 4 {
			r.Relations = append(r.Relations, triad.Relation{
				From: id, Type: triad.RelAllows, To: fmt.Sprintf("sg-%08x", i+n), Section: r.Sections[0].Name,
				Evidence: []triad.Evidence{{Source: r.Sections[0].Name, Detail: "Groups"}},
			})
		}
	}
	return r
}

// Bench measures a large first report, the same again, one with a thousand changes, a small
// delta on top, and reading the estate, in rows per second.
func Bench(b *testing.B, open Open) {
	const assets = 100_000
	measure := func(name string, rows int, run func(b *testing.B, s triad.Store)) {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				s := open(b)
				if name != "first" {
					apply(b, s, Load(1, assets))
				}
				b.StartTimer()
				run(b, s)
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
	r := Load(1, assets)
	again := Load(2, assets)
	changed := Load(3, assets)
	for i := range 1000 {
		changed.Assets[i*97].Name = "changed"
	}
	measure("first", 5*assets, func(b *testing.B, s triad.Store) { apply(b, s, r) })
	measure("same again", 5*assets, func(b *testing.B, s triad.Store) { apply(b, s, again) })
	measure("a thousand changes", 5*assets, func(b *testing.B, s triad.Store) { apply(b, s, changed) })
	measure("a delta of one", 1, func(b *testing.B, s triad.Store) {
		d := Load(2, 1)
		d.Base, d.Assets[0].Name = 1, "changed"
		apply(b, s, d)
	})
	measure("estate", 5*assets, func(b *testing.B, s triad.Store) {
		if _, err := s.Estate(b.Context(), tenant, func(triad.Row) error { return nil }); err != nil {
			b.Fatal(err)
		}
	})
}
