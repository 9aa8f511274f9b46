package advisory

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestParseRecord(t *testing.T) {
	const affected = `"affected":[{"package":{"ecosystem":"npm","name":"left-pad"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"1.3.1"}]}]}]`
	tests := []struct {
		name string
		in   string
		want func(*testing.T, *Record, []Affected)
		err  string
	}{
		{
			name: "ids, dates and ranges are read", in: `{"id":"GHSA-1","modified":"2024-01-02T03:04:05Z","aliases":["CVE-2024-1000"],` + affected + `}`,
			want: func(t *testing.T, r *Record, a []Affected) {
				if r.ID != "GHSA-1" || r.Aliases[0] != "CVE-2024-1000" || r.Modified.Year() != 2024 || len(a) != 1 ||
					!reflect.DeepEqual(a[0].Ranges, []Range{{Type: RangeSemver, Events: []Event{{Introduced, "0"}, {Fixed, "1.3.1"}}}}) {
					t.Errorf("got %+v %+v", r, a)
				}
			},
		},
		{
			name: "a withdrawn record is marked", in: `{"id":"A-1","withdrawn":"2024-01-01T00:00:00Z",` + affected + `}`,
			want: func(t *testing.T, r *Record, _ []Affected) {
				if !r.Withdrawn {
					t.Error("not withdrawn")
				}
			},
		},
		{
			name: "a summary is the first line of the details where there is none", in: `{"id":"A-1","details":"# Title\nmore",` + affected + `}`,
			want: func(t *testing.T, r *Record, _ []Affected) {
				if r.Summary != "Title" {
					t.Errorf("summary %q", r.Summary)
				}
			},
		},
		{
			name: "control characters of a hostile summary are taken out", in: `{"id":"A-1","summary":"a\u001b[2Jb",` + affected + `}`,
			want: func(t *testing.T, r *Record, _ []Affected) {
				if r.Summary != "a [2Jb" {
					t.Errorf("summary %q", r.Summary)
				}
			},
		},
		{
			name: "an erratum's word is the beginning of its summary", in: `{"id":"ALSA-2024:1","summary":"Important: nodejs:16 security update",` + affected + `}`,
			want: func(t *testing.T, r *Record, _ []Affected) {
				if r.Word != "high" {
					t.Errorf("word %q", r.Word)
				}
			},
		},
		{
			name: "database_specific of another type is no error", in: `{"id":"A-1","database_specific":[1,2],"affected":[{"package":{"ecosystem":"npm","name":"x"},"ecosystem_specific":"text"}]}`,
			want: func(t *testing.T, _ *Record, a []Affected) {
				if len(a) != 1 {
					t.Error("not read")
				}
			},
		},
		{
			name: "evidence and exploit collections are exploits, other references are none", in: `{"id":"A-1","references":[{"type":"WEB","url":"https://example.com/exploit"},{"type":"WEB","url":"https://www.exploit-db.com/exploits/1"},{"type":"EVIDENCE","url":"https://example.com/poc"}],` + affected + `}`,
			want: func(t *testing.T, r *Record, _ []Affected) {
				if len(r.Exploits) != 2 {
					t.Errorf("exploits %q", r.Exploits)
				}
			},
		},
		{
			name: "git ranges are left out", in: `{"id":"A-1","affected":[{"package":{"ecosystem":"PyPI","name":"x"},"ranges":[{"type":"GIT","repo":"r","events":[{"introduced":"0"}]}],"versions":["1.0"]}]}`,
			want: func(t *testing.T, _ *Record, a []Affected) {
				if len(a[0].Ranges) != 0 || len(a[0].Versions) != 1 {
					t.Errorf("got %+v", a)
				}
			},
		},
		{name: "AlmaLinux bug fix errata are no advisories", in: `{"id":"ALBA-2024:1",` + affected + `}`, err: "not a security advisory"},
		{name: "AlmaLinux enhancement errata are no advisories", in: `{"id":"ALEA-2024:1",` + affected + `}`, err: "not a security advisory"},
		{name: "a Red Hat bug fix that names a CVE is one", in: `{"id":"RHBA-2024:1","upstream":["CVE-2024-1000"],` + affected + `}`, want: func(*testing.T, *Record, []Affected) {}},
		{name: "a record without an id is refused", in: `{` + affected + `}`, err: "no id"},
		{name: "an id with a path is refused", in: `{"id":"../../etc/passwd",` + affected + `}`, err: "character"},
		{name: "an id of another type is refused", in: `{"id":7}`, err: "cannot unmarshal"},
		{name: "a range of an unknown type is refused, not guessed", in: `{"id":"A-1","affected":[{"package":{"ecosystem":"npm","name":"x"},"ranges":[{"type":"SPARKLE","events":[]}]}]}`, err: "SPARKLE"},
		{name: "an overlong version is refused", in: `{"id":"A-1","affected":[{"package":{"ecosystem":"npm","name":"x"},"versions":["` + strings.Repeat("1", 600) + `"]}]}`, err: "longer"},
		{name: "deep nesting is refused", in: `{"id":"A-1","credits":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, err: "depth"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, a, err := ParseRecord([]byte(tt.in))
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error %v, want one with %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			tt.want(t, r, a)
		})
	}
}

// FuzzRecord: whatever is accepted comes back from the database's own encoding as it was.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"id":"GHSA-1","modified":"2024-01-02T03:04:05Z","aliases":["CVE-2024-1000"],"severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],"affected":[{"package":{"ecosystem":"npm","name":"x"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"1"}]}],"versions":["0.1"]}]}`))
	f.Add([]byte(`{"id":"ALSA-2024:1","summary":"Moderate: x","related":["CVE-2024-1","CVE-2024-2"],"database_specific":{"severity":3}}`))
	f.Add([]byte(`{"id":"X","affected":[{"package":{"ecosystem":"Debian:12","name":"y"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0","last_affected":"2"},{"limit":"*"}]}]}]}`))
	f.Add([]byte(`{"id":"X","withdrawn":"x","affected":null,"references":[{"type":"EVIDENCE","url":"\u0000"}]}`))
	for _, file := range testdata(f, "record") {
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, affected, err := ParseRecord(data)
		if err != nil {
			return
		}
		var w writer
		w.record(r)
		back := (&reader{s: string(w.b)})
		got := back.record()
		if back.bad || back.s != "" || got.ID != r.ID || !reflect.DeepEqual(got.Aliases, r.Aliases) || got.Summary != r.Summary {
			t.Fatalf("%+v came back as %+v", r, got)
		}
		for _, a := range affected {
			var w writer
			w.ranges(a.Ranges)
			back := reader{s: string(w.b)}
			if got := back.ranges(); back.bad || len(got) != len(a.Ranges) {
				t.Fatalf("%+v came back as %+v", a.Ranges, got)
			}
		}
	})
}

// testdata reads the real records kept for fuzzing, where they are there.
func testdata(tb testing.TB, kind string) [][]byte {
	tb.Helper()
	var out [][]byte
	files, _ := filepath.Glob(filepath.Join("testdata", kind, "*"))
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, data)
	}
	return out
}

func TestStoredBytesThatDoNotDecodeAreAnError(t *testing.T) {
	for _, s := range []string{"", "\xff", "\x05ab", "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"} {
		r := reader{s: s}
		r.record()
		if !r.bad || !errors.Is(r.err(), errDamaged) {
			t.Errorf("%q decodes", s)
		}
	}
}
