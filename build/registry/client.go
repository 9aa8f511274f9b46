package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/time/rate"

	"github.com/triad-security/triad"
)

// Limits on what a registry may say.
const (
	maxRepositories = 1_000_000
	maxTags         = 1_000_000 // of one repository
	pageSize        = 500       // ECR refuses more than 1000
)

// Options say how a registry is spoken to.
type Options struct {
	Insecure bool // plain HTTP
	// Rate is how many requests a second are made at most; zero is 20.
	Rate float64
	// Transport carries the requests; nil is the default.
	Transport http.RoundTripper
}

// Client speaks to one registry, with the credentials of `docker login`.
type Client struct {
	registry name.Registry
	puller   *remote.Puller
	insecure bool
}

// Dial makes a client. Nothing is asked yet.
func Dial(host string, o Options) (*Client, error) {
	var options []name.Option
	if o.Insecure {
		options = append(options, name.Insecure)
	}
	registry, err := name.NewRegistry(host, options...)
	if err == nil && host == "" {
		err = errors.New("it is empty")
	}
	if err != nil {
		return nil, triad.Errorf(triad.CodeInvalid, "%q is no registry: write it like registry.example.com:5000: %w", host, err)
	}
	if o.Rate <= 0 {
		o.Rate = 20
	}
	base := o.Transport
	if base == nil {
		base = remote.DefaultTransport
	}
	limited := &polite{base: base, limiter: rate.NewLimiter(rate.Limit(o.Rate), max(1, int(o.Rate)))}
	puller, err := remote.NewPuller(remote.WithAuthFromKeychain(authn.DefaultKeychain), remote.WithUserAgent("triad"),
		remote.WithTransport(limited), remote.WithPageSize(pageSize), remote.WithRetryStatusCodes(http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout))
	if err != nil {
		return nil, fmt.Errorf("registry %s: %w", host, err)
	}
	return &Client{registry, puller, o.Insecure}, nil
}

// polite keeps to a rate, and waits as long as a registry asks for.
type polite struct {
	base    http.RoundTripper
	limiter *rate.Limiter
}

// A registry that asks to wait is asked again up to tries times, never later than maxWait.
const (
	tries   = 6
	maxWait = 2 * time.Minute
)

// RoundTrip implements http.RoundTripper. Requests of a walk have no body.
func (p *polite) RoundTrip(r *http.Request) (*http.Response, error) {
	pause := time.Second
	for try := 1; ; try++ {
		if err := p.limiter.Wait(r.Context()); err != nil {
			return nil, err
		}
		res, err := p.base.RoundTrip(r)
		if err != nil || res.StatusCode != http.StatusTooManyRequests || try == tries || r.Body != nil && r.Body != http.NoBody {
			return res, err
		}
		wait := max(retryAfter(res.Header.Get("Retry-After"), time.Now()), pause)
		_ = res.Body.Close()
		select {
		case <-r.Context().Done():
			return nil, r.Context().Err()
		case <-time.After(min(wait, maxWait)):
		}
		pause *= 2
	}
}

// retryAfter reads seconds or a date (RFC 9110 §10.2.3).
func retryAfter(text string, now time.Time) time.Duration {
	if d, err := time.ParseDuration(text + "s"); err == nil && d > 0 {
		return d
	}
	if at, err := http.ParseTime(text); err == nil {
		return at.Sub(now)
	}
	return 0
}

// Repositories calls fn with every repository of the catalogue.
func (c *Client) Repositories(ctx context.Context, fn func(repository string) error) error {
	pages, err := c.puller.Catalogger(ctx, c.registry)
	if err != nil {
		return c.explain("its catalogue (many registries show none: name the repositories)", err)
	}
	seen := map[string]bool{}
	for pages.HasNext() {
		page, err := pages.Next(ctx)
		if err != nil {
			return c.explain("its catalogue (many registries show none: name the repositories)", err)
		}
		fresh := false
		for _, repository := range page.Repos {
			if seen[repository] {
				continue
			}
			if len(seen) >= maxRepositories {
				return fmt.Errorf("registry %s: more than %d repositories", c.registry, maxRepositories)
			}
			seen[repository], fresh = true, true
			if err := fn(repository); err != nil {
				return err
			}
		}
		if !fresh && len(page.Repos) > 0 && pages.HasNext() {
			return fmt.Errorf("registry %s: its catalogue repeats itself", c.registry)
		}
	}
	return nil
}

// Tags calls fn with every tag of a repository.
func (c *Client) Tags(ctx context.Context, repository string, fn func(tag string) error) error {
	repo, err := c.repository(repository)
	if err != nil {
		return err
	}
	pages, err := c.puller.Lister(ctx, repo)
	if err != nil {
		return c.explain("the tags of "+repository, err)
	}
	seen := map[string]bool{}
	for pages.HasNext() {
		page, err := pages.Next(ctx)
		if err != nil {
			return c.explain("the tags of "+repository, err)
		}
		fresh := false
		for _, tag := range page.Tags {
			if seen[tag] {
				continue
			}
			if len(seen) >= maxTags {
				return fmt.Errorf("registry %s: %s has more than %d tags", c.registry, repository, maxTags)
			}
			seen[tag], fresh = true, true
			if err := fn(tag); err != nil {
				return err
			}
		}
		if !fresh && len(page.Tags) > 0 && pages.HasNext() {
			return fmt.Errorf("registry %s: the tags of %s repeat themselves", c.registry, repository)
		}
	}
	return nil
}

// Digest asks what a tag stands for.
func (c *Client) Digest(ctx context.Context, repository, tag string) (digest string, err error) {
	repo, err := c.repository(repository)
	if err != nil {
		return "", err
	}
	ref, err := name.NewTag(repo.Name()+":"+tag, c.options()...)
	if err != nil {
		return "", fmt.Errorf("registry %s: %w", c.registry, err)
	}
	d, err := c.puller.Head(ctx, ref)
	if err != nil {
		return "", c.explain(ref.String(), err)
	}
	return d.Digest.String(), nil
}

func (c *Client) options() []name.Option {
	if c.insecure {
		return []name.Option{name.Insecure}
	}
	return nil
}

func (c *Client) repository(repository string) (name.Repository, error) {
	repo, err := name.NewRepository(c.registry.RegistryStr()+"/"+repository, c.options()...)
	if err != nil {
		return repo, fmt.Errorf("registry %s names a repository that can be none, %.100q: %w", c.registry, repository, err)
	}
	return repo, nil
}

func (c *Client) explain(what string, err error) error {
	return Explain("registry "+c.registry.RegistryStr()+": reading "+what, err)
}
