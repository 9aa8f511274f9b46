package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"

	"github.com/triad-security/triad"
)

// Options of a live collection.
type Options struct {
	// Region to read; empty is the configured one.
	Region string
	// Profile of the shared configuration; empty is the usual credential chain's choice.
	Profile string
	// Endpoint overrides the address of every service, for a proxy or a test server.
	Endpoint string
	// Timeout bounds one call with its pages and retries; zero is 90 seconds.
	Timeout time.Duration
	// Attempts bounds the tries of one request; zero is 4.
	Attempts int
	// Record is a folder to write what was read to, in the form that FromDir reads.
	Record string
	// Progress is told of each call that is done; nil tells nobody.
	Progress func(call string, err error)
}

// parallel is how many calls are under way at a time: AWS throttles per account and region.
const parallel = 6

// session is one collection under way.
type session struct {
	cfg     sdk.Config
	o       Options
	scope   scope
	clients clients
	mu      sync.Mutex
	outputs map[string]output
	regions map[string]string // of buckets
}

// Collect reads one region of the account that the credentials belong to. A call that fails
// leaves its section unread; an error means that not even the account is known.
func Collect(ctx context.Context, o Options) (*triad.Report, error) {
	began := time.Now().UTC()
	s, err := connect(ctx, o)
	if err != nil {
		return nil, err
	}
	done := map[string]bool{"": true, callCaller: true}
	for len(done) <= len(readers)+1 {
		ready := readersAfter(done)
		s.run(ctx, ready)
		for _, r := range ready {
			done[r.call] = true
		}
	}
	if o.Record != "" {
		if err := record(o.Record, s.scope, s.outputs); err != nil {
			return nil, err
		}
	}
	return assemble(s.scope, s.outputs, began), nil
}

// connect loads the configuration and asks who the credentials belong to.
func connect(ctx context.Context, o Options) (*session, error) {
	if o.Timeout == 0 {
		o.Timeout = 90 * time.Second
	}
	if o.Attempts == 0 {
		o.Attempts = 4
	}
	options := []func(*config.LoadOptions) error{
		config.WithLogger(logging.Nop{}), // what fails is said in the report
		config.WithRetryer(func() sdk.Retryer {
			return retry.NewStandard(func(s *retry.StandardOptions) {
				s.MaxAttempts, s.MaxBackoff = o.Attempts, 5*time.Second
			})
		}),
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(o.Timeout).WithTransportOptions(func(t *http.Transport) {
			t.ResponseHeaderTimeout = o.Timeout / 2
		})),
	}
	if o.Region != "" {
		options = append(options, config.WithRegion(o.Region))
	}
	if o.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(o.Profile))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, triad.Errorf(triad.CodeInvalid, "loading the AWS configuration: %w", err)
	}
	if cfg.Region == "" {
		return nil, triad.Errorf(triad.CodeInvalid, "no AWS region is configured: give --region or set AWS_REGION")
	}
	if o.Endpoint != "" {
		cfg.BaseEndpoint = &o.Endpoint
	}
	s := &session{cfg: cfg, o: o, clients: newClients(cfg, o), outputs: map[string]output{}, regions: map[string]string{}}
	callCtx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	who, err := s.clients.sts.GetCallerIdentity(callCtx, nil)
	if err != nil {
		return nil, triad.Errorf(triad.CodeUnavailable, "asking AWS whose credentials these are (sts:GetCallerIdentity): %s; check the credentials with `aws sts get-caller-identity`", reason(err))
	}
	if who.Account == nil || !accountPattern.MatchString(*who.Account) {
		return nil, triad.Errorf(triad.CodeUnavailable, "AWS did not tell the account of these credentials")
	}
	s.scope = scope{account: *who.Account, region: cfg.Region}
	raw, err := marshal(document(who, false))
	s.keep(callCaller, raw, err)
	return s, nil
}

// keep stores a call's output.
func (s *session) keep(call string, raw []byte, err error) {
	s.mu.Lock()
	s.outputs[call] = output{raw: raw, err: err}
	s.mu.Unlock()
	if s.o.Progress != nil {
		s.o.Progress(call, err)
	}
}

// readersAfter lists the readers that are not done and wait for nothing that is not.
func readersAfter(done map[string]bool) []*reader {
	var out []*reader
	for i := range readers {
		if r := &readers[i]; !done[r.call] && done[r.after] {
			out = append(out, r)
		}
	}
	return out
}

// run makes calls, a few at a time.
func (s *session) run(ctx context.Context, ready []*reader) {
	slots := make(chan struct{}, parallel)
	var wg sync.WaitGroup
	for _, r := range ready {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			raw, err := s.call(ctx, r)
			s.keep(r.call, raw, err)
		})
	}
	wg.Wait()
}

// call makes one call, or one per owner, and returns what the CLI would print.
func (s *session) call(ctx context.Context, r *reader) ([]byte, error) {
	if r.after == "" {
		ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
		defer cancel()
		doc, err := r.read(ctx, s, "")
		if doc == nil {
			return nil, explain(err)
		}
		fill(r.call, doc, false)
		raw, e := marshal(clean(doc, ""))
		return raw, errors.Join(explain(err), e)
	}
	owners, err := s.owners(r)
	if err != nil {
		return nil, fmt.Errorf("it takes %s: %w", r.after, err)
	}
	return s.each(ctx, r, owners)
}

// owners lists the things that a call is made for, from the output of the call before it.
func (s *session) owners(r *reader) ([]string, error) {
	s.mu.Lock()
	o := s.outputs[r.after]
	s.mu.Unlock()
	if o.raw == nil {
		return nil, o.err
	}
	top, err := object(o.raw)
	if err != nil {
		return nil, err
	}
	list, err := elements(top, r.list)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, raw := range list {
		var id string
		if r.field == "" {
			err = json.Unmarshal(raw, &id)
		} else if row, e := object(raw); e == nil {
			id = text(row, r.field)
		}
		if err == nil && id != "" && (r.only == nil || r.only(id)) {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), o.err
}

// each makes a call for every owner. After a call that ran into its deadline or a refused
// connection the others are not tried: the service does not answer.
func (s *session) each(ctx context.Context, r *reader, owners []string) ([]byte, error) {
	docs := map[string]any{}
	failed := map[string][]string{} // reason → owners
	var down error
	for _, owner := range owners {
		docs[owner] = nil
		if down != nil {
			failed[reason(down)] = append(failed[reason(down)], owner)
			continue
		}
		callCtx, cancel := context.WithTimeout(ctx, s.o.Timeout)
		doc, err := r.read(callCtx, s, owner)
		cancel()
		switch {
		case err == nil:
			fill(r.call, doc, true)
			docs[owner] = clean(doc, "")
		case r.none != "" && slices.Contains(strings.Split(r.none, "|"), code(err)):
			delete(docs, owner)
		default:
			failed[reason(err)] = append(failed[reason(err)], owner)
			if code(err) == "" {
				down = err
			}
		}
	}
	var errs []error
	for why, of := range failed {
		if len(of) == 1 {
			errs = append(errs, fmt.Errorf("for %s: %s", of[0], why))
		} else {
			errs = append(errs, fmt.Errorf("for %s and %d more: %s", of[0], len(of)-1, why))
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	var doc any = docs
	if r.flat != "" {
		doc = flatten(docs, r.flat)
	}
	raw, err := marshal(doc)
	return raw, errors.Join(errors.Join(errs...), err)
}

// fill puts in the lists that the SDK leaves out when they are empty.
func fill(name string, doc map[string]any, owned bool) {
	for i := range calls {
		c := &calls[i]
		if c.name != name || c.keyed {
			continue
		}
		key, _, _ := strings.Cut(c.list, ".")
		if owned && c.list == "" && !c.lacking {
			key = c.take
		}
		if _, has := doc[key]; key != "" && !has {
			doc[key] = []any{}
		}
	}
}

// flatten joins the lists of several calls' outputs into one output.
func flatten(docs map[string]any, list string) any {
	var keys []string
	for k := range docs {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	all := []any{}
	for _, k := range keys {
		if m, ok := docs[k].(map[string]any); ok {
			if l, ok := m[list].([]any); ok {
				all = append(all, l...)
			}
		}
	}
	return map[string]any{list: all}
}

// code is the API's error code; empty when the request got no answer.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// explain makes an error of the SDK readable; nil stays nil.
func explain(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(reason(err))
}

// reason is why a request failed, for people.
func reason(err error) string {
	var api smithy.APIError
	var after *retry.MaxAttemptsError
	tries := ""
	if errors.As(err, &after) {
		tries = fmt.Sprintf(" (after %d attempts)", after.Attempt)
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "it did not answer in time"
	case errors.As(err, &api):
		message := api.ErrorCode()
		if m := api.ErrorMessage(); m != "" && m != message {
			message += ": " + m
		}
		return message + tries
	}
	// The SDK nests its errors; the innermost says it.
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return err.Error() + tries
}
