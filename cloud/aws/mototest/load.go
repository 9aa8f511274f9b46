package mototest

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// Loader puts a dump into a server. The server gives things its own ids, which IDs maps the
// dump's to.
type Loader struct {
	IDs map[string]string
	t   testing.TB
	dir string
	cfg sdk.Config
}

// NewLoader loads the dump in dir into the server at url.
func NewLoader(t testing.TB, url, region, dir string) *Loader {
	t.Helper()
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion(region))
	if err != nil {
		t.Fatal(err)
	}
	cfg.BaseEndpoint = &url
	return &Loader{IDs: map[string]string{}, t: t, dir: dir, cfg: cfg}
}

// Rewrite replaces the dump's ids in a text by the server's.
func (l *Loader) Rewrite(s string) string {
	ids := make([]string, 0, len(l.IDs))
	for id := range l.IDs {
		ids = append(ids, id)
	}
	// A longer id may begin with a shorter one.
	sort.Slice(ids, func(i, j int) bool { return len(ids[i]) > len(ids[j]) })
	var pairs []string
	for _, id := range ids {
		pairs = append(pairs, id, l.IDs[id])
	}
	return strings.NewReplacer(pairs...).Replace(s)
}

// RewriteDir copies a folder of text files with the dump's ids replaced by the server's, in
// names too. Other scopes name what is in this one: a node its instance, a binding its target group.
func (l *Loader) RewriteDir(from, to string) {
	l.t.Helper()
	err := filepath.WalkDir(from, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		into := filepath.Join(to, l.Rewrite(rel))
		if entry.IsDir() {
			return os.MkdirAll(into, 0o755)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(into, []byte(l.Rewrite(string(raw))), 0o600)
	})
	l.must(err, from)
}

// read decodes a file of the dump, ids rewritten; false where it is not there.
func (l *Loader) read(call string, v any) bool {
	l.t.Helper()
	raw, err := os.ReadFile(filepath.Join(l.dir, call+".json"))
	if os.IsNotExist(err) {
		return false
	}
	if err == nil {
		err = json.Unmarshal([]byte(l.Rewrite(string(raw))), v)
	}
	if err != nil {
		l.t.Fatalf("%s: %v", call, err)
	}
	return true
}

func (l *Loader) must(err error, what string) {
	l.t.Helper()
	if err != nil {
		l.t.Fatalf("loading %s: %v", what, err)
	}
}

func tagged(kind ec2types.ResourceType, tags []ec2types.Tag) []ec2types.TagSpecification {
	if len(tags) == 0 {
		return nil
	}
	return []ec2types.TagSpecification{{ResourceType: kind, Tags: tags}}
}

// Load loads everything, in the order in which one thing names another.
func (l *Loader) Load(ctx context.Context) {
	l.Network(ctx)
	l.Cluster(ctx) // its issuer is in the trust policies of IAM
	l.IAM(ctx)
	l.Instances(ctx)
	l.Balancers(ctx)
	l.Interfaces(ctx)
	l.Functions(ctx)
	l.Stores(ctx)
}

// AllowFrom adds the rules of a group in a later dump that this one does not have: the change
// of one security group, made as an operator makes it.
func (l *Loader) AllowFrom(ctx context.Context, later string) {
	l.t.Helper()
	was := map[string][]ec2types.IpPermission{}
	var groups ec2.DescribeSecurityGroupsOutput
	l.read("ec2-describe-security-groups", &groups)
	for _, g := range groups.SecurityGroups {
		was[*g.GroupId] = g.IpPermissions
	}
	next := *l
	next.dir = later
	groups = ec2.DescribeSecurityGroupsOutput{}
	next.read("ec2-describe-security-groups", &groups)
	for _, g := range groups.SecurityGroups {
		added := slices.DeleteFunc(g.IpPermissions, func(p ec2types.IpPermission) bool {
			return slices.ContainsFunc(was[*g.GroupId], func(q ec2types.IpPermission) bool { return reflect.DeepEqual(p, q) })
		})
		if len(added) == 0 {
			continue
		}
		_, err := ec2.NewFromConfig(l.cfg).AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: g.GroupId, IpPermissions: added})
		l.must(err, *g.GroupId)
	}
}
