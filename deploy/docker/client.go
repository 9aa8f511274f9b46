package docker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/triad-security/triad"
)

// apiVersion is the newest version of the engine's API that is known here; an older engine is
// spoken to in its own.
const apiVersion = "1.51"

// requestTimeout bounds one request; an engine that answers slower than this is in trouble.
const requestTimeout = 30 * time.Second

// Client speaks to a Docker engine, or one with the same API, over its socket.
type Client struct {
	http *http.Client
	base string
	// Local says that the engine is on this machine: it was reached through a Unix socket.
	Local bool
}

// NewClient returns a client of the engine at host: unix:///path, tcp://host:port or
// http(s)://host:port. Empty is DOCKER_HOST, else the socket at its usual place.
// DOCKER_TLS_VERIFY and DOCKER_CERT_PATH mean what they mean to the docker command.
func NewClient(host string) (*Client, error) {
	if host == "" {
		host = os.Getenv("DOCKER_HOST")
	}
	if host == "" {
		host = "unix:///var/run/docker.sock"
	}
	u, err := url.Parse(host)
	if err != nil {
		return nil, triad.Errorf(triad.CodeInvalid, "Docker host %q: %w", host, err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute, ResponseHeaderTimeout: requestTimeout}
	c := &Client{http: &http.Client{Transport: transport}}
	switch u.Scheme {
	case "unix":
		socket := u.Path
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}
		c.base, c.Local = "http://docker", true
	case "tcp", "http", "https":
		scheme := u.Scheme
		if scheme == "tcp" {
			scheme = "http"
			if os.Getenv("DOCKER_TLS_VERIFY") != "" {
				scheme = "https"
			}
		}
		if scheme == "https" {
			if transport.TLSClientConfig, err = tlsConfig(); err != nil {
				return nil, err
			}
		}
		c.base = scheme + "://" + u.Host
	default:
		return nil, triad.Errorf(triad.CodeInvalid, "Docker host %q: %s:// is not supported; run the collector on that machine, or give unix:// or tcp://", host, u.Scheme)
	}
	return c, nil
}

func tlsConfig() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	dir := os.Getenv("DOCKER_CERT_PATH")
	if dir == "" {
		return config, nil
	}
	ca, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		return nil, fmt.Errorf("reading the Docker engine's authority: %w", err)
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(ca) {
		return nil, triad.Errorf(triad.CodeInvalid, "%s holds no certificate", filepath.Join(dir, "ca.pem"))
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	if err != nil {
		return nil, fmt.Errorf("reading the Docker client's certificate: %w", err)
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

// Negotiate finds the version of the API that both sides speak. It is the first request.
func (c *Client) Negotiate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	res, err := c.do(ctx, "/_ping")
	if err != nil {
		return triad.Errorf(triad.CodeUnavailable, "no Docker engine answers (is it running, and may this user open its socket?): %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return triad.Errorf(triad.CodeUnavailable, "the Docker engine answers %s to a ping", res.Status)
	}
	version := res.Header.Get("Api-Version")
	if version == "" || newer(version, apiVersion) {
		version = apiVersion
	}
	c.base += "/v" + version
	return nil
}

// newer compares versions such as 1.9 and 1.41.
func newer(a, b string) bool {
	number := func(s string) (int, int) {
		major, minor, _ := strings.Cut(s, ".")
		x, _ := strconv.Atoi(major)
		y, _ := strconv.Atoi(minor)
		return x, y
	}
	aMajor, aMinor := number(a)
	bMajor, bMinor := number(b)
	return aMajor > bMajor || aMajor == bMajor && aMinor > bMinor
}

func (c *Client) do(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return nil, err
	}
	return c.http.Do(req)
}

// errNotFound is an object that went away after it was listed.
var errNotFound = errors.New("not found")

// get reads one answer of at most limit bytes.
func (c *Client) get(ctx context.Context, path string, limit int64) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	res, err := c.do(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("asking the engine for %s: %w", path, err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the engine's answer to %s: %w", path, err)
	case res.StatusCode == http.StatusNotFound:
		return nil, errNotFound
	case res.StatusCode != http.StatusOK:
		var answer struct {
			Message string `json:"message"`
		}
		_ = json.Unmarshal(data, &answer)
		return nil, fmt.Errorf("the engine refuses %s: %s %s", path, res.Status, answer.Message)
	case int64(len(data)) > limit:
		return nil, fmt.Errorf("the engine's answer to %s is over %d MiB", path, limit>>20)
	}
	return data, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }
