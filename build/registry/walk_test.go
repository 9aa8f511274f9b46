package registry_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/registry"
	"github.com/triad-security/triad/build/registry/registrytest"
)

func push(t *testing.T, reference string, img v1.Image) {
	t.Helper()
	ref, err := name.ParseReference(reference)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img); err != nil {
		t.Fatal(err)
	}
}

func image(t *testing.T) v1.Image {
	t.Helper()
	img, err := random.Image(512, 2)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// visits collects what a walk scans.
type visits struct {
	mu   sync.Mutex
	refs []string
	fail error
}

func (v *visits) scan(_ context.Context, reference, _, _ string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.refs = append(v.refs, reference)
	return v.fail
}

func TestAWalkSeesEveryImageOnce(t *testing.T) {
	host := registrytest.Start(t)
	shared := image(t)
	push(t, host+"/shop/web:1.0", shared)
	push(t, host+"/shop/web:latest", shared)
	push(t, host+"/shop/api:1.0", shared)
	push(t, host+"/shop/api:2.0", image(t))
	push(t, host+"/other/tool:1", image(t))
	client, err := registry.Dial(host, registry.Options{Rate: 1000})
	if err != nil {
		t.Fatal(err)
	}
	v := &visits{}
	sum, err := (&registry.Walk{Client: client, Scan: v.scan}).Run(t.Context())
	if err != nil || sum.Repositories != 3 || sum.Progress.Tags != 5 || len(sum.Tags) != 3 || sum.Images != 3 || len(v.refs) != 3 || len(sum.Unread) != 0 || !sum.Done {
		t.Errorf("%+v, scanned %v, %v", sum, v.refs, err)
	}
	v = &visits{fail: errors.New("no layer")}
	sum, err = (&registry.Walk{Client: client, Scan: v.scan, Repositories: []string{"shop/*"}}).Run(t.Context())
	if err != nil || sum.Repositories != 2 || sum.Images != 2 || sum.Failed != 2 || len(sum.Unread) != 2 {
		t.Errorf("%+v %v", sum, err)
	}
	sum, err = (&registry.Walk{Client: client, Scan: v.scan, Repositories: []string{"shop/none"}}).Run(t.Context())
	if err != nil || len(sum.Unread) != 1 || !strings.Contains(sum.Unread[0].Reason, "look at the name") {
		t.Errorf("a repository that is not there: %+v %v", sum, err)
	}
}

func TestABrokenWalkIsTakenUpWhereItEnded(t *testing.T) {
	host := registrytest.Start(t)
	for i := range 6 {
		push(t, fmt.Sprintf("%s/shop/web:%d", host, i), image(t))
	}
	var heads int
	counting := transport(func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodHead {
			heads++
		}
		return http.DefaultTransport.RoundTrip(r)
	})
	client, err := registry.Dial(host, registry.Options{Rate: 1000, Transport: counting})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	journal, resumed, err := registry.OpenJournal(dir, host)
	if err != nil || resumed != 0 {
		t.Fatal(resumed, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	scanned := 0
	var mu sync.Mutex
	_, err = (&registry.Walk{Client: client, Journal: journal, Scan: func(context.Context, string, string, string) error {
		mu.Lock()
		defer mu.Unlock()
		if scanned++; scanned == 3 {
			cancel()
		}
		return nil
	}}).Run(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if err := journal.Close(false); err != nil {
		t.Fatal(err)
	}
	journal, resumed, err = registry.OpenJournal(dir, host)
	if err != nil || resumed < 2 {
		t.Fatalf("%d tags are known of the broken walk, %v", resumed, err)
	}
	heads = 0
	v := &visits{}
	sum, err := (&registry.Walk{Client: client, Journal: journal, Scan: v.scan}).Run(t.Context())
	if err != nil || sum.Images != 6 || heads != 6-resumed {
		t.Errorf("%+v, %d tags asked for and %d were known, %v", sum, heads, resumed, err)
	}
	if err := journal.Close(true); err != nil {
		t.Error(err)
	}
	if _, resumed, _ := registry.OpenJournal(dir, host); resumed != 0 {
		t.Error("a finished walk left its journal")
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// fake is a registry that says whatever the test wants; no real one lies like it.
func fake(t *testing.T, answer func(w http.ResponseWriter, r *http.Request)) *registry.Client {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/" {
			return
		}
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	client, err := registry.Dial(strings.TrimPrefix(s.URL, "http://"), registry.Options{Rate: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestPagesAreFollowedAndEndlessOnesAreNot(t *testing.T) {
	client := fake(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("last") == "b" {
			fmt.Fprint(w, `{"repositories":["c"]}`)
			return
		}
		w.Header().Set("Link", `</v2/_catalog?last=b&n=2>; rel="next"`)
		fmt.Fprint(w, `{"repositories":["a","b"]}`)
	})
	var got []string
	collect := func(r string) error { got = append(got, r); return nil }
	if err := client.Repositories(t.Context(), collect); err != nil || !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("%v %v", got, err)
	}
	client = fake(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", `<`+r.URL.Path+`?last=b>; rel="next"`)
		fmt.Fprint(w, `{"repositories":["a","b"],"tags":["a","b"],"name":"x"}`)
	})
	if err := client.Repositories(t.Context(), collect); err == nil || !strings.Contains(err.Error(), "repeats itself") {
		t.Errorf("%v", err)
	}
	if err := client.Tags(t.Context(), "x", collect); err == nil || !strings.Contains(err.Error(), "repeat themselves") {
		t.Errorf("%v", err)
	}
}

func TestARegistryThatAsksToWaitIsWaitedFor(t *testing.T) {
	asked := 0
	var first time.Time
	client := fake(t, func(w http.ResponseWriter, r *http.Request) {
		if asked++; asked == 1 {
			first = time.Now()
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		fmt.Fprint(w, `{"repositories":["a"]}`)
	})
	err := client.Repositories(t.Context(), func(string) error { return nil })
	if err != nil || asked != 2 || time.Since(first) < time.Second {
		t.Errorf("asked %d times, %v", asked, err)
	}
}

func TestWhatCannotBeReadIsSaid(t *testing.T) {
	client := fake(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	err := client.Repositories(t.Context(), func(string) error { return nil })
	if triad.ErrorCode(err) != triad.CodeDenied || !strings.Contains(err.Error(), "docker login") {
		t.Errorf("%v", err)
	}
	client = fake(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "_catalog") {
			fmt.Fprint(w, `{"repositories":["../../evil","ok"]}`)
			return
		}
		fmt.Fprint(w, `{"name":"ok","tags":["bad tag\u001b[2J"]}`)
	})
	sum, err := (&registry.Walk{Client: client, Scan: (&visits{}).scan}).Run(t.Context())
	if err != nil || len(sum.Unread) != 2 || sum.Images != 0 {
		t.Errorf("%+v %v", sum, err)
	}
	for _, host := range []string{"registry/x", "", "http://r.example.com", "a b"} {
		if _, err := registry.Dial(host, registry.Options{}); err == nil {
			t.Errorf("%q is taken for a registry", host)
		}
	}
}
