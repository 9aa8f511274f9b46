package aws

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/cloud/aws/mototest"
)

const (
	shopAccount = "111122223333"
	shopRegion  = "us-east-1"
)

func shopDir(t testing.TB) string {
	return filepath.Join(shared(t, "scenarios", "shop", "aws"), shopAccount, shopRegion)
}

// TestLive loads shop into an API server of other people's making and collects it.
func TestLive(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	dir := shopDir(t)
	url := mototest.Start(t, shopAccount)
	l := mototest.NewLoader(t, url, shopRegion, dir)
	ctx := t.Context()
	l.Load(ctx)

	recorded := t.TempDir()
	live, err := Collect(ctx, Options{Region: shopRegion, Endpoint: url, Record: recorded})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range live.Sections {
		if s.Status == triad.SectionUnread {
			t.Logf("%s: %s", s.Name, s.Reason)
		}
	}
	t.Run("the recorded collection gives the same report", func(t *testing.T) {
		again, err := FromDir(filepath.Join(recorded, shopAccount, shopRegion))
		if err != nil {
			t.Fatal(err)
		}
		same(t, content(live), content(again))
	})
	t.Run("relations and findings are those of the dump", func(t *testing.T) {
		dump, err := FromDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		same(t, judgements(dump, l.Rewrite), judgements(live, func(s string) string { return s }))
	})
}

// content is a report without the moment it was taken, line by line.
func content(r *triad.Report) []string {
	var out []string
	add := func(v any) {
		raw, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		out = append(out, string(raw))
	}
	for _, x := range r.Sections {
		add(x)
	}
	for _, x := range r.Assets {
		add(x)
	}
	for _, x := range r.Relations {
		add(x)
	}
	for _, x := range r.Findings {
		add(x)
	}
	return out
}

// judgements are the relations, findings and properties by which risks are decided.
func judgements(r *triad.Report, rewrite func(string) string) []string {
	var out []string
	for _, x := range r.Relations {
		out = append(out, rewrite(fmt.Sprintf("relation %s %s", x.Key(), x.Props)))
	}
	for _, x := range r.Findings {
		out = append(out, rewrite("finding "+x.Key()+" "+x.Severity))
	}
	for _, x := range r.Assets {
		props := string(x.Props)
		switch x.Kind {
		case "Instance":
			var p triad.HostProps
			_ = json.Unmarshal(x.Props, &p)
			props = fmt.Sprintf("tokens %s hops %d off %v", p.MetadataTokens, p.MetadataHopLimit, p.MetadataOff)
		case "Function":
			props = "" // the code differs
		case "DBInstance", "RedshiftCluster":
			var p triad.DataStoreProps
			_ = json.Unmarshal(x.Props, &p)
			if x.Kind == "RedshiftCluster" { // moto gives its nodes no addresses
				p.Addresses = nil
			}
			raw, _ := json.Marshal(p)
			props = string(raw)
		}
		if x.Props != nil {
			out = append(out, rewrite(fmt.Sprintf("props %s %s", x.ID, props)))
		}
	}
	slices.Sort(out)
	return out
}

func same(t *testing.T, want, got []string) {
	t.Helper()
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("missing: %.600s", line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("unexpected: %.600s", line)
		}
	}
}
