package exposure

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
	"github.com/triad-security/triad/reach/aws"
)

// lambda is what of a function's document decides who invokes it.
type lambda struct {
	ARN string `json:"FunctionArn"`
	URL *struct {
		URL      string `json:"FunctionUrl"`
		AuthType string `json:"AuthType"`
	} `json:"UrlConfig"`
	Policy json.RawMessage `json:"Policy"`
	VPC    struct {
		SubnetIDs []string `json:"SubnetIds"`
		GroupIDs  []string `json:"SecurityGroupIds"`
		VPCID     string   `json:"VpcId"`
	} `json:"VpcConfig"`
}

// Services whose events may come from the internet through something that is not collected,
// by the principal that a function's policy names.
var frontServices = map[string]string{
	"apigateway.amazonaws.com": "API Gateway",
	"cloudfront.amazonaws.com": "CloudFront",
}

// functionRow finds a function's row and document.
func functionRow(v reach.View, id string) (*reach.Row, lambda, error) {
	for _, row := range v.Rows(id) {
		if row.Asset == nil || row.Asset.Type != triad.TypeFunction {
			continue
		}
		var f lambda
		err := json.Unmarshal(row.Asset.Doc, &f)
		if f.ARN == "" {
			f.ARN = row.Asset.ID
		}
		return row, f, err
	}
	return nil, lambda{}, nil
}

// Function is the best way from the internet to invoking a Lambda function: its URL, or an
// application load balancer that has it as a target.
func Function(v reach.View, id string) reach.Result {
	row, f, err := functionRow(v, id)
	switch {
	case row == nil:
		return graded(unknown(nil, triad.Unread{Section: "lambda-list-functions", Reason: "nothing that was collected holds " + id}))
	case err != nil:
		return graded(unknown(nil, triad.Unread{Scope: row.Scope, Section: row.Asset.Section, Reason: err.Error()}))
	}
	policy, err := parsePolicy(f.Policy)
	var unread []triad.Unread
	doubt := func(section string) bool {
		s := v.Section(row.Scope, section)
		if s.Status == triad.SectionUnread {
			unread = append(unread, triad.Unread{Scope: row.Scope, Section: section, Reason: s.Reason})
		}
		return s.Status == triad.SectionUnread
	}
	if err != nil {
		unread = append(unread, triad.Unread{Scope: row.Scope, Section: "lambda-get-policy", Reason: err.Error()})
	}
	if f.Policy == nil {
		doubt("lambda-get-policy")
	}
	end := triad.Hop{Type: "function", ID: f.ARN, Evidence: &triad.Evidence{Source: row.Asset.Section, Detail: row.Asset.Name, Scope: row.Scope}}
	ways := behindBalancer(v, f.ARN)
	ways = append(ways, frontedBy(policy, row.Scope)...)
	var stops []triad.Hop
	switch {
	case f.URL == nil && !doubt("lambda-get-function-url-config"):
		end.Reason = "no function URL, and no load balancer has it as a target"
		stops = []triad.Hop{end, {Type: "function-url", Reason: "there is none"}}
		if f.Policy == nil {
			stops = append(stops, triad.Hop{Type: "resource-policy", Reason: "there is none"})
		}
	case f.URL != nil:
		ways = append(ways, byURL(f, policy, end, row.Scope))
	}
	if f.URL != nil && len(unread) > 0 && ways[len(ways)-1].Verdict != reach.Reachable {
		ways[len(ways)-1].Result = unknown([]triad.Hop{{Type: "internet"}}, unread...)
	}
	return best(ways, stops, unread)
}

// byURL is the way through a function's own URL.
func byURL(f lambda, policy document, end triad.Hop, scope string) way {
	path := []triad.Hop{{Type: "internet"}}
	url := triad.Hop{Type: "function-url", ID: f.URL.URL, Evidence: &triad.Evidence{Source: "lambda-get-function-url-config", Detail: "auth type " + f.URL.AuthType, Scope: scope}}
	source := func(detail string) *triad.Evidence {
		return &triad.Evidence{Source: "lambda-get-policy", Detail: detail, Scope: scope}
	}
	// Both permissions are needed since October 2025.
	// https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
	a := request{action: "lambda:InvokeFunctionUrl", resource: f.ARN, authType: f.URL.AuthType}
	b := request{action: "lambda:InvokeFunction", resource: f.ARN, authType: f.URL.AuthType, viaURL: true}
	if f.URL.AuthType != "NONE" {
		// A caller must sign as some principal; whoever has an AWS account can, where the
		// policy lets everybody in.
		a.signed, b.signed = true, true
	}
	first, second := policy.anybody(a), policy.anybody(b)
	switch {
	case first.unknown != "" || second.unknown != "":
		return way{Result: unknown(join(path, url), triad.Unread{Scope: scope, Section: "lambda-get-policy", Reason: first.unknown + second.unknown})}
	case first.from.Empty() && a.signed:
		url.Reason = "auth type " + f.URL.AuthType + ": callers must sign as a principal that the account lets in"
		return way{Result: blocked(path, url)}
	case first.from.Empty() || second.from.Empty():
		missing := a.action
		if !first.from.Empty() {
			missing = b.action + " through the URL"
		}
		return way{Result: blocked(join(path, url), triad.Hop{Type: "resource-policy", ID: f.ARN, Reason: "no statement lets everybody " + missing, Evidence: source("")})}
	}
	r := reach.Result{Verdict: reach.Reachable, Port: 443}
	restrict(&r, first.from.Intersect(second.from))
	if a.signed {
		r.Exposure = triad.ExposureControlled
	}
	r.Path = join(path, url, triad.Hop{Type: "resource-policy", ID: first.sid(f.ARN), Evidence: source(a.action + " by " + first.sid("a statement") + ", " + b.action + " through the URL by " + second.sid("a statement"))}, end)
	return way{Result: r}
}

// behindBalancer finds the ways through load balancers that have the function as a target.
func behindBalancer(v reach.View, arn string) []way {
	var ways []way
	for _, r := range aws.FromInternet(v, aws.Target{Function: arn}, "tcp", 443) {
		if r.Verdict == reach.Blocked && r.BlockedBy != nil && r.BlockedBy.Type == "load-balancer" && r.BlockedBy.ID == "" {
			continue // none has
		}
		if r.Verdict == reach.Unknown && !passed(r, "listener") && !passed(r, "security-group") {
			continue // some load balancer was not read, which is no sign that it leads here
		}
		ways = append(ways, way{Result: r})
	}
	return ways
}

// frontedBy are the services that the policy lets invoke the function and whose own way from
// the internet was not collected.
func frontedBy(policy document, scope string) []way {
	var ways []way
	for _, s := range policy.Statements {
		for _, name := range s.Principal.services {
			front, ok := frontServices[name]
			if !ok || s.Effect != "Allow" {
				continue
			}
			ways = append(ways, way{Result: unknown([]triad.Hop{{Type: "internet"}}, triad.Unread{
				Scope: scope, Section: strings.TrimSuffix(name, ".amazonaws.com"),
				Reason: "statement " + s.Sid + " lets " + front + " invoke it, and what stands before that was not collected",
			})})
		}
	}
	return slices.Clip(ways)
}
