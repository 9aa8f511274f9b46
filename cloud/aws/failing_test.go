package aws

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/triad-security/triad"
)

var here = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

// fakeEndpoint tells whose the credentials are and answers everything else in its own way. It
// stands for what a real API does under denial, throttling and outage, which no server of
// other people's making plays.
func fakeEndpoint(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	for k, v := range map[string]string{
		"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_CONFIG_FILE": os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true", "AWS_PROFILE": "",
	} {
		t.Setenv(k, v)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err == nil && r.PostForm.Get("Action") == "GetCallerIdentity" {
			fmt.Fprint(w, `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
				<Arn>arn:aws:iam::111122223333:user/t</Arn><UserId>AIDA</UserId><Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
			return
		}
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// fail answers as the service that the request is signed for does.
func fail(w http.ResponseWriter, r *http.Request, status int, code string) {
	auth := r.Header.Get("Authorization")
	switch {
	case strings.Contains(auth, "/ec2/"):
		w.WriteHeader(status)
		fmt.Fprintf(w, `<Response><Errors><Error><Code>%s</Code><Message>no</Message></Error></Errors><RequestID>1</RequestID></Response>`, code)
	case strings.Contains(auth, "/s3/"):
		w.WriteHeader(status)
		fmt.Fprintf(w, `<Error><Code>%s</Code><Message>no</Message></Error>`, code)
	case strings.Contains(auth, "/eks/"), strings.Contains(auth, "/lambda/"), strings.Contains(auth, "/ecr/"), strings.Contains(auth, "/dynamodb/"):
		w.Header().Set("X-Amzn-Errortype", code)
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"__type":%q,"message":"no"}`, code)
	default:
		w.WriteHeader(status)
		fmt.Fprintf(w, `<ErrorResponse><Error><Code>%s</Code><Message>no</Message></Error></ErrorResponse>`, code)
	}
}

func TestWhatTheAPIRefusesIsUnread(t *testing.T) {
	var requests atomic.Int64
	over := make(chan struct{})
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		reason string
		limit  time.Duration
	}{
		"access denied": {func(w http.ResponseWriter, r *http.Request) {
			fail(w, r, http.StatusForbidden, "AccessDenied")
		}, "AccessDenied", time.Minute},
		"throttling, after as many attempts as are allowed": {func(w http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			fail(w, r, http.StatusTooManyRequests, "ThrottlingException")
		}, "(after 2 attempts)", time.Minute},
		"no answer": {func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-over:
			}
		}, "it did not answer in time", time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			url := fakeEndpoint(t, c.answer)
			if c.reason == "it did not answer in time" {
				t.Cleanup(func() { close(over) }) // before the server waits for its handlers
			}
			began := time.Now()
			recorded := t.TempDir()
			r, err := Collect(t.Context(), Options{Region: "us-east-1", Endpoint: url, Timeout: 2 * time.Second, Attempts: 2, Record: recorded})
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > c.limit {
				t.Errorf("it took %v", took)
			}
			for _, s := range r.Sections {
				switch {
				case s.Name == callCaller:
					if s.Status != triad.SectionComplete {
						t.Errorf("%+v", s)
					}
				case s.Status == triad.SectionComplete:
					t.Errorf("%s is complete though nothing was read", s.Name)
				case s.Name == "ec2-describe-instances" || s.Name == callIAM || s.Name == callFunctions || s.Name == callBuckets || s.Name == callClusters:
					if s.Status != triad.SectionUnread || !strings.Contains(s.Reason, c.reason) {
						t.Errorf("%+v, want the reason %q", s, c.reason)
					}
				}
			}
			again, err := FromDir(filepath.Join(recorded, "111122223333", "us-east-1"))
			if err != nil {
				t.Fatal(err)
			}
			same(t, content(r), content(again))
		})
	}
	if n := requests.Load(); n > 200 {
		t.Errorf("%d requests while throttled", n)
	}
}

func TestWithoutAnAccountThereIsNothingToReport(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fail(w, r, http.StatusForbidden, "InvalidClientTokenId")
	}))
	defer s.Close()
	t.Setenv("AWS_ACCESS_KEY_ID", "testing")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "testing")
	_, err := Collect(t.Context(), Options{Region: "us-east-1", Endpoint: s.URL, Attempts: 1})
	if triad.ErrorCode(err) != triad.CodeUnavailable || !strings.Contains(err.Error(), "InvalidClientTokenId") {
		t.Errorf("got %v", err)
	}
}
