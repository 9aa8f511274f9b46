package api

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
	"github.com/triad-security/triad/reach/aws"
	"github.com/triad-security/triad/reach/exposure"
	"github.com/triad-security/triad/server/auth"
)

var actionReach = auth.Action{Name: "ask-reach", Read: true}

// Bounds of one request. The estate stands still while it is answered, so changes wait for
// at most this many questions.
const (
	MaxReachQuestions = 1000
	maxReachBytes     = 4 << 20
)

// ReachQuestions are the questions of one request, as aws.ParseQueries reads them.
type ReachQuestions []aws.Question

// UnmarshalJSON reads {"queries":[…]}.
func (q *ReachQuestions) UnmarshalJSON(data []byte) error {
	parsed, err := aws.ParseQueries(data)
	*q = parsed
	return err
}

// MarshalJSON writes {"queries":[…]}.
func (q ReachQuestions) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Queries []aws.Question `json:"queries"`
	}{q})
}

// Schema says what UnmarshalJSON reads.
func (ReachQuestions) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[reachQuestions](), true, "")
}

type reachQuestions struct {
	_       struct{}        `additionalProperties:"true"`
	Queries []reachQuestion `json:"queries" minItems:"1" maxItems:"1000" nullable:"false"`
}

type reachQuestion struct {
	_          struct{}   `additionalProperties:"true"`
	From       reachEnd   `json:"from"`
	To         reachEnd   `json:"to"`
	Protocol   string     `json:"protocol,omitempty" maxLength:"16" doc:"tcp (the default), udp, icmp, any, or an IP protocol number"`
	Port       reachPorts `json:"port,omitempty" doc:"destination port or range; all ports without it"`
	SourcePort reachPorts `json:"source_port,omitempty" doc:"the client's port or range; any without it"`
	Match      string     `json:"match,omitempty" enum:"all,some" doc:"all (the default): every port and protocol must get through; some: one is enough"`
}

type reachEnd struct {
	_       struct{} `additionalProperties:"true"`
	Kind    string   `json:"kind" maxLength:"64" doc:"internet, instance, ip; as to also workload: what runs in a cluster or on a Docker host"`
	ID      string   `json:"id,omitempty" maxLength:"2048" doc:"i-…; of a workload its asset ID or name"`
	IP      string   `json:"ip,omitempty" maxLength:"64"`
	Network string   `json:"network,omitempty" maxLength:"256" doc:"the VPC of an ip, where several use the same range"`
}

type reachPorts struct{}

// Schema says what aws.PortRange reads.
func (reachPorts) Schema(huma.Registry) *huma.Schema {
	last := 65535.0
	first := 0.0
	return &huma.Schema{OneOf: []*huma.Schema{
		{Type: huma.TypeInteger, Minimum: &first, Maximum: &last},
		{Type: huma.TypeString, Pattern: `^[0-9]{1,5}(-[0-9]{1,5})?$`},
	}}
}

// ReachAnswers are the results, in the order of the questions.
type ReachAnswers struct {
	Results []reach.Result `json:"results"`
}

func (s *Service) reach(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "ask-reach", Method: http.MethodPost, Path: "/api/v1/reach", Summary: "Is B reachable from A, and by which hops, or which hop stops it",
		Description:  "Answers up to 1000 questions over the estate as it stands, in their order.",
		MaxBodyBytes: maxReachBytes, Middlewares: s.guard(api, actionReach),
	}, func(ctx context.Context, in *struct{ Body ReachQuestions }) (*struct{ Body ReachAnswers }, error) {
		var results []reach.Result
		var asked error
		err := s.Estate(tokenOf(ctx).Tenant, func(v reach.View) {
			results, asked = Answers(ctx, v, in.Body)
		})
		if triad.ErrorCode(asked) == triad.CodeNotFound {
			return nil, huma.Error404NotFound(asked.Error())
		}
		if err == nil {
			err = asked
		}
		if err != nil {
			return nil, s.fail("answering questions of reachability", err)
		}
		return &struct{ Body ReachAnswers }{ReachAnswers{results}}, nil
	})
}

// Answers answers questions over an estate, in their order. An end that names nothing is
// CodeNotFound, a question that cannot be asked CodeInvalid.
func Answers(ctx context.Context, v reach.View, questions []aws.Question) ([]reach.Result, error) {
	results := make([]reach.Result, len(questions))
	for i, q := range questions {
		err := ctx.Err()
		if err == nil {
			results[i], err = answer(v, q)
		}
		if err != nil && len(questions) > 1 {
			return nil, triad.Errorf(triad.ErrorCode(err), "query %d: %w", i+1, err)
		}
		if err != nil {
			return nil, err
		}
	}
	return results, nil
}

func answer(v reach.View, q aws.Question) (reach.Result, error) {
	switch q.To.Kind {
	case "internet", "instance", "ip":
		return aws.Query(v, q), nil
	}
	if q.From.Kind != "internet" || q.From.IP != "" {
		return reach.Result{}, triad.Errorf(triad.CodeInvalid, "the way to %s can be asked from the internet only; give --from internet", q.To.ID)
	}
	id, err := workloadID(v, q.To.ID)
	if err != nil {
		return reach.Result{}, err
	}
	port := 0 // the best over all that it is known to serve
	if q.Port != (aws.PortRange{}) {
		if q.Port.Lo != q.Port.Hi {
			return reach.Result{}, triad.Errorf(triad.CodeInvalid, "the way to %s can be asked for one port, or without a port for all that it serves", q.To.ID)
		}
		port = int(q.Port.Lo)
	}
	return exposure.Of(v, id, q.Protocol, port), nil
}

// workloadID finds the asset of a pod or container by ID, by name, or by the name's end:
// cluster/namespace/name or namespace/name, host/container or container.
func workloadID(v reach.View, name string) (string, error) {
	if len(v.Rows(name)) > 0 {
		return name, nil
	}
	var ids, names, near []string
	for _, typ := range []triad.AssetType{triad.TypePod, triad.TypeWorkload} {
		for _, r := range v.Rows(reach.TypeKey(typ)) {
			if r.Asset.Kind != "Pod" && r.Asset.Kind != "DockerContainer" {
				continue
			}
			if (r.Asset.Name == name || strings.HasSuffix(r.Asset.Name, "/"+name)) && !slices.Contains(ids, r.Asset.ID) {
				ids = append(ids, r.Asset.ID)
				names = append(names, r.Asset.Name)
			} else if strings.Contains("/"+r.Asset.Name, "/"+name+"-") { // the name of what owns the pod
				near = append(near, r.Asset.Name)
			}
		}
	}
	switch {
	case len(ids) == 1:
		return ids[0], nil
	case len(near) > 0 && len(ids) == 0:
		slices.Sort(near)
		return "", triad.Errorf(triad.CodeNotFound, "no pod or container is called %s; name one, such as %s", name, near[0])
	case len(ids) == 0:
		return "", triad.Errorf(triad.CodeNotFound, "nothing that was read is called %s; name an instance, an address, NAMESPACE/POD or HOST/CONTAINER", name)
	}
	slices.Sort(names)
	const shown = 10
	more := ""
	if len(names) > shown {
		names, more = names[:shown], " …"
	}
	return "", triad.Errorf(triad.CodeInvalid, "%s is the name of several: %s%s; name one in full", name, strings.Join(names, ", "), more)
}
