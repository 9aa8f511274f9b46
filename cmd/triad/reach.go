package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/triad-security/triad"
	cloudaws "github.com/triad-security/triad/cloud/aws"
	"github.com/triad-security/triad/deploy/docker"
	"github.com/triad-security/triad/deploy/kubernetes"
	"github.com/triad-security/triad/reach"
	"github.com/triad-security/triad/reach/aws"
	"github.com/triad-security/triad/server"
	"github.com/triad-security/triad/server/api"
)

type reachOptions struct {
	aws, kubernetes, docker []string
	cluster                 string
	queries                 string
	from, to                string
	network                 string
	port, sourcePort        string
	protocol, match         string
}

func newReachCommand(a *app) *cobra.Command {
	var o reachOptions
	cmd := &cobra.Command{
		Use:   "reach",
		Short: "Is B reachable from A, and by which hops, or which hop stops it",
		Long: `Follows packets through what was collected, hop by hop, both ways where state matters, and
prints the path with its evidence; or the first hop that stops them and the others that
would; or unknown, and what could not be read.

Ends are: internet, internet:IP, an instance i-…, an address; and as --to also a pod
NAMESPACE/POD, a container HOST/NAME, or the asset ID of either, asked from the internet.

It reads folders of saved output. Without any it asks what was collected: the data directory,
the server that holds it, or the one of --server.`,
		Example: `  triad reach --aws dump/aws/111122223333/us-east-1 --from internet --to i-0c0000000000000c1 --port 8080
  triad reach --aws dump --from internet:203.0.113.7 --to 3.210.1.100 --port 443 --format json
  triad reach --aws dump --from i-0b0000000000000b1 --to 10.0.2.210 --port 5439
  triad reach --aws dump --kubernetes dump/kubernetes --from internet --to shop/storefront-952acee83-efbe0 --port 8080
  triad reach --aws dump --queries questions.json --format json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.reach(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.aws, "aws", nil, "folder of AWS CLI output, …/aws/ACCOUNT/REGION or a folder above it (repeatable)")
	f.StringArrayVar(&o.kubernetes, "kubernetes", nil, "folder of kubectl get KIND -A -o yaml output (repeatable)")
	f.StringArrayVar(&o.docker, "docker", nil, "folder of docker inspect output (repeatable)")
	f.StringVar(&o.cluster, "cluster", "", "the cluster's name, where the folder does not say it")
	f.StringVar(&o.queries, "queries", "", "file of questions: {\"queries\":[{\"from\":{…},\"to\":{…},\"protocol\",\"port\"}]}; - is standard input")
	f.StringVar(&o.from, "from", "internet", "where packets come from")
	f.StringVar(&o.to, "to", "", "where they go")
	f.StringVar(&o.network, "network", "", "the VPC of a --to address, where several use the same range")
	f.StringVar(&o.port, "port", "", "destination port or range; default all ports")
	f.StringVar(&o.sourcePort, "source-port", "", "the client's port or range; default any")
	f.StringVar(&o.protocol, "protocol", "tcp", "tcp, udp, icmp, any, or an IP protocol number")
	f.StringVar(&o.match, "match", "all", "all: every port and protocol must get through; some: one is enough")
	cmd.MarkFlagsMutuallyExclusive("queries", "to")
	cmd.MarkFlagsOneRequired("queries", "to")
	return cmd
}

func (a *app) reach(ctx context.Context, o reachOptions) error {
	questions, err := o.questions()
	if err != nil {
		return err
	}
	results, err := a.answers(ctx, o, questions)
	if err != nil {
		return err
	}
	if o.queries == "" {
		return a.result(results[0], func(w io.Writer) error { return printWay(w, results[0]) }, nil)
	}
	return a.result(results, func(w io.Writer) error { return printWays(w, questions, results) }, nil)
}

// questions are those of the file, or the one that the flags ask.
func (o reachOptions) questions() ([]aws.Question, error) {
	if o.queries != "" {
		data, err := readBounded(o.queries)
		if err != nil {
			return nil, triad.Errorf(triad.CodeInvalid, "reading the queries: %w", err)
		}
		return aws.ParseQueries(data)
	}
	q := aws.Question{From: parseEnd(o.from), To: parseEnd(o.to), Protocol: o.protocol, Match: o.match}
	q.To.Network = o.network
	var err error
	if q.Port, err = aws.ParsePorts(o.port); err != nil {
		return nil, triad.Errorf(triad.CodeInvalid, "--port: %w", err)
	}
	if q.SourcePort, err = aws.ParsePorts(o.sourcePort); err != nil {
		return nil, triad.Errorf(triad.CodeInvalid, "--source-port: %w", err)
	}
	return []aws.Question{q}, nil
}

const maxQueriesFile = 64 << 20

func readBounded(path string) ([]byte, error) {
	in := io.Reader(os.Stdin)
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxQueriesFile+1))
	if err == nil && len(data) > maxQueriesFile {
		err = fmt.Errorf("%s is over the limit of %d MiB", path, maxQueriesFile>>20)
	}
	return data, err
}

// parseEnd reads internet, internet:IP, i-…, an address, or else the name of something that
// runs in a cluster or on a Docker host.
func parseEnd(s string) aws.End {
	if rest, ok := strings.CutPrefix(s, "internet"); ok && (rest == "" || rest[0] == ':') {
		return aws.End{Kind: "internet", IP: strings.Trim(strings.TrimPrefix(rest, ":"), "[]")}
	}
	if ip, err := netip.ParseAddr(s); err == nil {
		return aws.End{Kind: "ip", IP: ip.String()}
	}
	if strings.HasPrefix(s, "i-") {
		return aws.End{Kind: "instance", ID: s}
	}
	return aws.End{Kind: "workload", ID: s}
}

// answers asks the folders; without any the server, the process that holds the data directory,
// or the store in it.
func (a *app) answers(ctx context.Context, o reachOptions, questions []aws.Question) (_ []reach.Result, err error) {
	if len(o.aws)+len(o.kubernetes)+len(o.docker) > 0 {
		estate, err := a.folders(ctx, o)
		if err != nil {
			return nil, err
		}
		return api.Answers(ctx, estate, questions)
	}
	e, err := a.estate(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	l, ok := e.(local)
	if !ok {
		return e.(remote).Reach(ctx, questions)
	}
	estate, err := a.stored(ctx, l)
	if err != nil {
		return nil, err
	}
	return api.Answers(ctx, estate, questions)
}

// folders reads saved output.
func (a *app) folders(ctx context.Context, o reachOptions) (*reach.Estate, error) {
	estate := server.NewEstate()
	add := func(r *triad.Report, err error) error {
		if err != nil {
			return err
		}
		for _, s := range r.Sections {
			if s.Status == triad.SectionUnread {
				a.say("%s: %s is unread: %s", r.Scope, s.Name, s.Reason)
			}
		}
		estate.PutReport(r)
		return nil
	}
	for _, dir := range o.aws {
		regions, err := regionDirs(dir)
		if err != nil {
			return nil, triad.Errorf(triad.CodeInvalid, "looking for AWS dumps: %w", err)
		}
		for _, d := range regions {
			if err := add(cloudaws.FromDir(d)); err != nil {
				return nil, err
			}
		}
	}
	for _, dir := range o.kubernetes {
		r, err := kubernetes.Dir(ctx, dir, kubernetes.Options{Tenant: a.tenant, Cluster: o.cluster, Collector: "kubernetes/" + version})
		if err := add(r, err); err != nil {
			return nil, err
		}
	}
	for _, dir := range o.docker {
		r, err := docker.Dir(ctx, dir, docker.Options{Tenant: a.tenant, Collector: "docker/" + version})
		if err := add(r, err); err != nil {
			return nil, err
		}
	}
	return estate, nil
}

// stored reads the store.
func (a *app) stored(ctx context.Context, l local) (*reach.Estate, error) {
	estate := server.NewEstate()
	_, err := l.core.Store.Estate(ctx, a.tenant, func(r triad.Row) error {
		// The row's bytes are valid during the call only.
		_, err := estate.Put(r.Scope, r.Kind, r.Key, slices.Clone(r.Doc))
		return err
	})
	if err == nil && estate.Len() == 0 {
		err = triad.Errorf(triad.CodeNotFound, "the store is empty; run triad collect first, or name folders with --aws, --kubernetes, --docker")
	}
	return estate, err
}

// regionDirs returns the folders at and below dir, to aws/ACCOUNT/REGION, that hold a dump;
// dir itself when there is none, so that reading it says what is wrong.
func regionDirs(dir string) (out []string, err error) {
	const deepest = 3
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() {
			return nil
		}
		if found, _ := filepath.Glob(filepath.Join(path, "ec2-*.json")); len(found) > 0 {
			out = append(out, path)
			return filepath.SkipDir
		}
		if rel, _ := filepath.Rel(dir, path); rel != "." && strings.Count(rel, string(filepath.Separator)) >= deepest-1 {
			return filepath.SkipDir
		}
		return nil
	})
	if len(out) == 0 && err == nil {
		out = []string{dir}
	}
	return out, err
}

// printWay prints one way for people.
func printWay(w io.Writer, r reach.Result) error {
	fmt.Fprintln(w, verdictText(r))
	for _, h := range r.Path {
		fmt.Fprintln(w, hopText("  ", h))
	}
	if r.BlockedBy != nil {
		fmt.Fprintln(w, hopText("✗ ", *r.BlockedBy))
	}
	for _, h := range r.AlsoBlockedBy {
		fmt.Fprintln(w, hopText("✗ ", h)+" (also)")
	}
	for _, u := range r.Unread {
		fmt.Fprintf(w, "? %s %s: %s\n", u.Scope, u.Section, u.Reason)
	}
	return nil
}

func verdictText(r reach.Result) string {
	s := string(r.Verdict)
	if r.Exposure != "" {
		s += ", exposure " + string(r.Exposure)
	}
	if len(r.Sources) > 0 {
		s += " from " + strings.Join(r.Sources, ", ")
	}
	return s
}

func hopText(mark string, h triad.Hop) string {
	s := mark + strings.TrimSpace(h.Type+" "+h.ID)
	switch {
	case h.Reason != "":
		s += ": " + h.Reason
	case h.Evidence != nil && h.Evidence.Detail != "":
		s += ": " + h.Evidence.Detail
	}
	return s
}

// printWays prints one line for each question.
func printWays(w io.Writer, questions []aws.Question, results []reach.Result) error {
	for i, r := range results {
		q := questions[i]
		line := strconv.Itoa(i+1) + "\t" + verdictText(r) + "\t" + endText(q.From) + " → " + endText(q.To) + " " + q.Protocol + " " + q.Port.String()
		if r.BlockedBy != nil {
			line += "\t" + hopText("", *r.BlockedBy)
		}
		for _, u := range r.Unread {
			line += "\t" + u.Section + ": " + u.Reason
			break
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

func endText(e aws.End) string {
	s := e.ID
	if s == "" {
		s = e.Kind
	}
	if e.IP != "" {
		if e.Kind == "ip" {
			return e.IP
		}
		s += ":" + e.IP
	}
	return s
}
