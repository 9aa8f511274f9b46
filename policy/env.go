package policy

import (
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/triad-security/triad"
)

// Bounds on expressions and on what evaluating one may cost (CEL's unit: about one per step,
// and one per ten bytes that a function of strings reads).
const (
	maxExpression = 8 << 10   // characters
	maxNodes      = 2000      // of an expression's tree
	maxDepth      = 60        // of its nesting
	maxNesting    = 2         // comprehensions within comprehensions
	maxRegex      = 1000      // instructions of a compiled regular expression
	maxCost       = 5_000_000 // of one evaluation; some seconds
	checkEvery    = 256       // steps of a comprehension between looks at the deadline
)

// lists are what a rule can be "for", with the item's variable and type.
var lists = map[string]struct {
	item string
	typ  *cel.Type
}{
	"vulnerabilities":   {"v", cel.ObjectType("policy.Vulnerability")},
	"packages":          {"p", cel.ObjectType("policy.Package")},
	"malware":           {"f", cel.ObjectType("policy.Finding")},
	"secrets":           {"f", cel.ObjectType("policy.Finding")},
	"code":              {"f", cel.ObjectType("policy.Finding")},
	"misconfigurations": {"f", cel.ObjectType("policy.Finding")},
	"unread":            {"u", cel.ObjectType("policy.Unread")},
}

// environment is the typed environment of expressions; it is built once.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	tag := types.ParseStructTag("json")
	options := []cel.EnvOption{
		cel.ParserExpressionSizeLimit(maxExpression),
		cel.ParserRecursionLimit(maxDepth),
		cel.ExpressionNodeLimit(maxNodes),
		cel.RegexProgramSizeLimit(maxRegex),
		cel.ASTValidators(
			cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateRegexLiterals(),
			cel.ValidateHomogeneousAggregateLiterals(), cel.ValidateComprehensionNestingLimit(maxNesting),
		),
		cel.DefaultUTCTimeZone(true),
		cel.Types(
			types.NativeTypeFor[Artifact](tag), types.NativeTypeFor[Image](tag), types.NativeTypeFor[Registry](tag),
			types.NativeTypeFor[Attestation](tag), types.NativeTypeFor[Signature](tag), types.NativeTypeFor[Freshness](tag),
			types.NativeTypeFor[Package](tag), types.NativeTypeFor[Vulnerability](tag), types.NativeTypeFor[Finding](tag),
			types.NativeTypeFor[Unread](tag), types.NativeTypeFor[Workload](tag),
		),
		cel.Variable("artifact", cel.ObjectType("policy.Artifact")),
		cel.Variable("image", cel.ObjectType("policy.Image")),
		cel.Variable("registry", cel.ObjectType("policy.Registry")),
		cel.Variable("signature", cel.ObjectType("policy.Signature")),
		cel.Variable("freshness", cel.ObjectType("policy.Freshness")),
		cel.Variable("workload", cel.ObjectType("policy.Workload")),
		cel.Variable("object", cel.DynType),
		cel.Variable("now", cel.TimestampType),
		// "ghcr.io/acme/app".glob("ghcr.io/acme/*"): * is any run of characters, ? any one byte.
		cel.Function("glob", cel.MemberOverload("string_glob_string", []*cel.Type{cel.StringType, cel.StringType}, cel.BoolType,
			cel.BinaryBinding(func(s, pattern ref.Val) ref.Val {
				text, ok := s.(types.String)
				p, isString := pattern.(types.String)
				if !ok || !isString {
					return types.MaybeNoSuchOverloadErr(s)
				}
				return types.Bool(triad.MatchPattern(string(p), string(text)))
			}))),
	}
	for name, l := range lists {
		options = append(options, cel.Variable(name, cel.ListType(l.typ)))
	}
	return cel.NewEnv(options...)
})

// itemEnvironments add the item of a rule that is for each of a list.
var itemEnvironments = sync.OnceValues(func() (map[string]*cel.Env, error) {
	base, err := environment()
	if err != nil {
		return nil, err
	}
	all := map[string]*cel.Env{"": base}
	for name, l := range lists {
		if all[name], err = base.Extend(cel.Variable(l.item, l.typ)); err != nil {
			return nil, err
		}
	}
	return all, nil
})

// program plans a checked expression twice: as it is, and to be evaluated where a part of
// what it reads is unknown, which costs more.
func program(env *cel.Env, checked *cel.Ast) (whole, partial cel.Program, err error) {
	options := []cel.ProgramOption{cel.CostLimit(maxCost), cel.InterruptCheckFrequency(checkEvery)}
	if whole, err = env.Program(checked, append(options, cel.EvalOptions(cel.OptOptimize))...); err != nil {
		return nil, nil, err
	}
	partial, err = env.Program(checked, append(options, cel.EvalOptions(cel.OptPartialEval))...)
	return whole, partial, err
}
