package secret

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/inspect"
)

// planted are pieces of content with and without secrets.
func planted(key string) []string {
	return []string{
		"\n", " ", "nothing to see\n", "password = \"" + password + "\"\n", "T=" + githubPAT + "\n", gitlab + "\n", slack + "\n", stripe + "\n", sessionToken + "\n", key,
		"aws_access_key_id = " + awsID + "\naws_secret_access_key = " + awsSecret + "\n", "dsn=postgres://shop:" + password + "@db.internal/shop\n",
		"-----BEGIN RSA PRIVATE KEY-----\n", "eyJhbGciOi", "password", "discord telegram mistral azure\n", "# triad:allow-secret\n", "\x01\x02",
		strings.Repeat("x", 5000), strings.Repeat("a line of text\n", 3000), strings.Repeat("y\n", 70000),
	}
}

func cut(t *rapid.T, name string, data []byte, pieces func() int) []triad.Finding {
	s := New().Open(t.Context(), inspect.File{Name: name, Size: int64(max(len(data), 8))})
	for len(data) > 0 {
		n := min(pieces(), len(data))
		if _, err := s.Write(data[:n]); err != nil {
			t.Fatal(err)
		}
		data = data[n:]
	}
	found, err := s.Close()
	if err != nil {
		t.Fatal(err)
	}
	var out []triad.Finding
	for _, f := range found {
		out = append(out, f.Finding)
	}
	return out
}

func TestFindingsDoNotDependOnHowContentIsCut(t *testing.T) {
	parts := planted(ecKey(t))
	rapid.Check(t, func(t *rapid.T) {
		data := []byte(strings.Join(rapid.SliceOfN(rapid.SampledFrom(parts), 1, 25).Draw(t, "content"), ""))
		whole := cut(t, "app/x.conf", data, func() int { return len(data) })
		size := rapid.IntRange(1, 200000)
		cutUp := cut(t, "app/x.conf", data, func() int { return size.Draw(t, "piece") })
		a, _ := json.Marshal(whole)
		b, _ := json.Marshal(cutUp)
		if !bytes.Equal(a, b) {
			t.Fatalf("whole %s\ncut   %s", a, b)
		}
	})
}

func TestFindingsMoveWithTheContent(t *testing.T) {
	parts := planted(ecKey(t))
	rapid.Check(t, func(t *rapid.T) {
		content := strings.Join(rapid.SliceOfN(rapid.SampledFrom(parts), 1, 15).Draw(t, "content"), "")
		lines := rapid.IntRange(0, 300000).Draw(t, "lines before")
		here := cut(t, "app/x.conf", []byte("\n"+content), func() int { return 1 << 16 })
		there := cut(t, "app/x.conf", append(bytes.Repeat([]byte("\n"), lines+1), content...), func() int { return 1 << 16 })
		for i := range here {
			here[i].Line += lines
		}
		a, _ := json.Marshal(here)
		b, _ := json.Marshal(there)
		if !bytes.Equal(a, b) {
			t.Fatalf("here  %s\nthere %s", a, b)
		}
	})
}

func FuzzInspect(f *testing.F) {
	for _, part := range planted(ecKey(f)) {
		f.Add([]byte(part), uint16(7))
	}
	f.Fuzz(func(t *testing.T, data []byte, piece uint16) {
		for _, name := range []string{"app/x.conf", "app/x.py", "root/.netrc", "root/.pgpass", "etc/shadow"} {
			cutUp, err := feed(t, name, data, int(piece)+1)
			whole, other := feed(t, name, data, len(data)+1)
			a, _ := json.Marshal(cutUp)
			b, _ := json.Marshal(whole)
			if !bytes.Equal(a, b) || (err == nil) != (other == nil) {
				t.Fatalf("%s: in pieces %s %v\nwhole %s %v", name, a, err, b, other)
			}
		}
		masked := Mask(string(data))
		if again := Mask(masked); again != masked {
			t.Fatalf("masked again %q is %q", masked, again)
		}
	})
}
