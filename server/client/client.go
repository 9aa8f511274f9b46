// Package client speaks to a Triad server: over its data directory's socket, or by URL with a
// token. It offers what commands need, in the words of the vocabulary.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
	"github.com/triad-security/triad/reach/aws"
	"github.com/triad-security/triad/server/api"
	"github.com/triad-security/triad/server/ingest"
)

// Client calls one server.
type Client struct {
	base  string
	token string
	http  *http.Client
}

// OverSocket returns a client of the process that listens on a unix socket.
func OverSocket(path string) *Client {
	return &Client{base: "http://localhost", http: &http.Client{
		Timeout: 5 * time.Minute,
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		}},
	}}
}

// New returns a client of the server at a URL.
func New(server, token string) (*Client, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, triad.Errorf(triad.CodeInvalid, "--server %q is not an http or https URL", server)
	}
	return &Client{base: strings.TrimSuffix(server, "/"), token: token, http: &http.Client{Timeout: 5 * time.Minute}}, nil
}

// Keep hands a report in. It returns when the server has it on stable storage.
func (c *Client) Keep(ctx context.Context, r *triad.Report) error {
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if len(body) > ingest.MaxBytes {
		return triad.Errorf(triad.CodeInvalid, "the report of %s is %d MiB, more than the server takes in one piece (%d MiB)", r.Scope, len(body)>>20, ingest.MaxBytes>>20)
	}
	return c.call(ctx, http.MethodPost, "/api/v1/reports", nil, bytes.NewReader(body), nil)
}

// Decisions lists ranked decisions. A zero limit is all, read page by page.
func (c *Client) Decisions(ctx context.Context, f triad.DecisionFilter) ([]triad.Decision, error) {
	const page = 1000
	query := url.Values{}
	for _, o := range f.Outcomes {
		query.Add("decision", string(o))
	}
	for _, e := range f.Exposure {
		query.Add("exposure", string(e))
	}
	set := func(name, value string) {
		if value != "" {
			query.Set(name, value)
		}
	}
	set("kind", string(f.Kind))
	set("asset", f.Asset)
	set("q", f.Text)
	var all []triad.Decision
	for offset := f.Offset; ; offset += page {
		limit := page
		if f.Limit > 0 {
			limit = min(page, f.Limit-len(all))
		}
		query.Set("limit", strconv.Itoa(limit))
		query.Set("offset", strconv.Itoa(offset))
		var out struct{ Risks []triad.Decision }
		if err := c.call(ctx, http.MethodGet, "/api/v1/risks", query, nil, &out); err != nil {
			return nil, err
		}
		all = append(all, out.Risks...)
		if len(out.Risks) < limit || len(all) == f.Limit {
			return all, nil
		}
	}
}

// Decision returns one decision and its history, oldest first.
func (c *Client) Decision(ctx context.Context, id string) (triad.Decision, []triad.Change, error) {
	var out struct {
		Risk    triad.Decision
		History []triad.Change
	}
	err := c.call(ctx, http.MethodGet, "/api/v1/risks/"+url.PathEscape(id), nil, nil, &out)
	return out.Risk, out.History, err
}

// Reach asks questions of reachability, as many at once as the server takes. The results
// have the order of the questions.
func (c *Client) Reach(ctx context.Context, questions []aws.Question) ([]reach.Result, error) {
	results := make([]reach.Result, 0, len(questions))
	for some := range slices.Chunk(questions, api.MaxReachQuestions) {
		first := len(results)
		body, err := json.Marshal(api.ReachQuestions(some))
		if err != nil {
			return nil, err
		}
		var out api.ReachAnswers
		if err := c.call(ctx, http.MethodPost, "/api/v1/reach", nil, bytes.NewReader(body), &out); err != nil {
			if len(questions) > len(some) {
				err = triad.Errorf(triad.ErrorCode(err), "queries %d to %d: %w", first+1, first+len(some), err)
			}
			return nil, err
		}
		if len(out.Results) != len(some) {
			return nil, fmt.Errorf("the server gave %d answers to %d questions", len(out.Results), len(some))
		}
		results = append(results, out.Results...)
	}
	return results, nil
}

// RunningImages lists the images of a repository that run now.
func (c *Client) RunningImages(ctx context.Context, repository string) ([]api.RunningImage, error) {
	var out struct{ Images []api.RunningImage }
	err := c.call(ctx, http.MethodGet, "/api/v1/images/running", url.Values{"repository": {repository}}, nil, &out)
	return out.Images, err
}

// Registries lists the repositories in use.
func (c *Client) Registries(ctx context.Context) ([]api.RepositoryInUse, error) {
	var out struct{ Repositories []api.RepositoryInUse }
	err := c.call(ctx, http.MethodGet, "/api/v1/registries", nil, nil, &out)
	return out.Repositories, err
}

// NewToken makes an access token; its secret is in the answer and nowhere else.
func (c *Client) NewToken(ctx context.Context, t api.NewToken) (api.CreatedToken, error) {
	body, err := json.Marshal(t)
	if err != nil {
		return api.CreatedToken{}, err
	}
	var out api.CreatedToken
	err = c.call(ctx, http.MethodPost, "/api/v1/tokens", nil, bytes.NewReader(body), &out)
	return out, err
}

// Status says how the server is.
func (c *Client) Status(ctx context.Context) (api.Status, error) {
	var out api.Status
	err := c.call(ctx, http.MethodGet, "/api/v1/status", nil, nil, &out)
	return out, err
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 512 << 20

func (c *Client) call(ctx context.Context, method, path string, query url.Values, body io.Reader, out any) error {
	address := c.base + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return err
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return triad.Errorf(triad.CodeUnavailable, "no Triad server answers at %s: %w; is it running, and is the address right?", c.base, err)
	}
	defer resp.Body.Close()
	answer := io.LimitReader(resp.Body, maxAnswer)
	if resp.StatusCode >= 300 {
		return refusal(resp.StatusCode, answer)
	}
	if out == nil {
		_, err := io.Copy(io.Discard, answer)
		return err
	}
	if err := json.NewDecoder(answer).Decode(out); err != nil {
		return fmt.Errorf("reading the answer to %s: %w", path, err)
	}
	return nil
}

// refusal turns an error answer into the error that the server meant.
func refusal(status int, body io.Reader) error {
	var problem struct{ Detail string }
	raw, _ := io.ReadAll(io.LimitReader(body, 64<<10))
	if json.Unmarshal(raw, &problem) != nil || problem.Detail == "" {
		problem.Detail = strings.TrimSpace(string(raw))
	}
	code := triad.CodeInternal
	switch status {
	case http.StatusUnprocessableEntity, http.StatusBadRequest:
		code = triad.CodeInvalid
	case http.StatusNotFound:
		code = triad.CodeNotFound
	case http.StatusConflict:
		code = triad.CodeWrongBase
	case http.StatusUnauthorized, http.StatusForbidden:
		code = triad.CodeDenied
	case http.StatusServiceUnavailable:
		code = triad.CodeUnavailable
	}
	return triad.Errorf(code, "the server refused (%d): %s", status, problem.Detail)
}
