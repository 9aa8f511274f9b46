package aws

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/triad-security/triad/reach"
)

// decodedRule is a listener's rule or its default action, reduced to what decides: who gets
// to which target groups.
type decodedRule struct {
	priority int
	// from are the addresses that the rule's source-ip condition takes; all without one.
	from reach.AddrSet
	// always: besides from, the conditions hold for every request, so no later rule is reached.
	always bool
	// login: the request must log in first (authenticate-oidc, authenticate-cognito,
	// jwt-validation).
	login   bool
	forward []string // target group ARNs
	answer  string   // what it does when it forwards nowhere: fixed-response, redirect
	detail  string   // for people: "host shop.example.com path /*"
}

// defaultPriority is behind every numbered rule; ELB numbers rules up to 50000.
const defaultPriority = 1 << 30

func decodeListener(doc json.RawMessage) (any, []string, error) {
	l := new(listener)
	err := json.Unmarshal(doc, l)
	if l.Rules != nil {
		for _, r := range *l.Rules {
			d := decodedRule{priority: defaultPriority, from: reach.AllAddresses, always: true}
			if n, e := strconv.Atoi(r.Priority); e == nil && !r.Default {
				d.priority = n
			}
			if e := d.conditions(r.Conditions); err == nil {
				err = e
			}
			d.actions(r.Actions)
			l.rules = append(l.rules, d)
		}
	}
	if !slices.ContainsFunc(l.rules, func(d decodedRule) bool { return d.priority == defaultPriority }) {
		d := decodedRule{priority: defaultPriority, from: reach.AllAddresses, always: true}
		d.actions(l.Default)
		l.rules = append(l.rules, d)
	}
	slices.SortStableFunc(l.rules, func(a, b decodedRule) int { return a.priority - b.priority })

	keys := []string{keyListeners(l.Balancer)}
	for _, d := range l.rules {
		for _, arn := range d.forward {
			keys = append(keys, keyForwards(arn))
		}
	}
	return l, keys, err
}

// conditions reads which requests a rule takes. Host and path are the client's to choose, so
// only a source-ip condition keeps anybody out.
func (d *decodedRule) conditions(list []condition) (err error) {
	var words []string
	for _, c := range list {
		v := c.Values
		for _, config := range []*values{c.HostHeader, c.PathPattern, c.SourceIP} {
			if config != nil && len(config.Values) > 0 {
				v = config.Values
			}
		}
		words = append(words, strings.TrimSuffix(strings.TrimSuffix(c.Field, "-header"), "-pattern")+" "+strings.Join(v, " or "))
		switch c.Field {
		case "source-ip":
			var prefixes []netip.Prefix
			if prefixes, err = parsePrefixes(v); err == nil {
				d.from = d.from.Intersect(reach.Prefixes(prefixes...))
			}
		case "path-pattern":
			d.always = d.always && (slices.Contains(v, "*") || slices.Contains(v, "/*"))
		case "host-header":
			d.always = d.always && slices.Contains(v, "*")
		default:
			d.always = false
		}
	}
	d.detail = strings.Join(words, ", ")
	return err
}

func (d *decodedRule) actions(list []action) {
	for _, a := range list {
		switch a.Type {
		case "forward":
			var arns []string
			total := 0
			if a.Forward != nil {
				for _, g := range a.Forward.TargetGroups {
					if g.Weight == nil || *g.Weight > 0 {
						arns = append(arns, g.ARN)
					}
					total++
				}
			}
			// ELB sends to every group when all have the weight zero only if it is the single one.
			if total == 0 || total == 1 && len(arns) == 0 {
				arns = nil
				if a.TargetGroup != "" {
					arns = []string{a.TargetGroup}
				}
			}
			d.forward = append(d.forward, arns...)
		case "authenticate-oidc", "authenticate-cognito", "jwt-validation":
			d.login = true
		default:
			d.answer = a.Type
		}
	}
}
