package identity

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/triad-security/triad"
)

// statements draws statements over few actions, resources and conditions, so that they meet.
func statements(t *rapid.T, name string, effects ...string) []string {
	action := rapid.SampledFrom([]string{"s3:GetObject", "s3:Get*", "s3:*", "*", "s3:PutObject", "ec2:*"})
	resource := rapid.SampledFrom([]string{"*", "arn:aws:s3:::data/*", "arn:aws:s3:::data/a/*", "arn:aws:s3:::data/?", "arn:aws:s3:::*/b", "arn:aws:s3:::other/*", "arn:aws:s3:::data/${aws:SourceVpc}/*"})
	conditions := rapid.SampledFrom([]string{"", "", `,"Condition":{"Bool":{"aws:SecureTransport":"true"}}`, `,"Condition":{"StringEquals":{"aws:SourceVpc":"vpc-1"}}`, `,"Condition":{"StringEquals":{"aws:PrincipalTag/team":"db"}}`})
	n := rapid.IntRange(0, 4).Draw(t, name+" count")
	var out []string
	for i := range n {
		label := fmt.Sprintf("%s %d ", name, i)
		not := rapid.SampledFrom([]string{"", "", "Not"})
		out = append(out, fmt.Sprintf(`{"Effect":%q,"%sAction":%q,"%sResource":%q%s}`,
			rapid.SampledFrom(effects).Draw(t, label+"effect"),
			not.Draw(t, label+"not action"), action.Draw(t, label+"action"),
			not.Draw(t, label+"not resource"), resource.Draw(t, label+"resource"), conditions.Draw(t, label+"condition")))
	}
	return out
}

func parsed(statements []string) *Policy {
	p, err := Parse("test", []byte(`{"Statement":[`+strings.Join(statements, ",")+`]}`))
	if err != nil {
		panic(err)
	}
	return p
}

var asked = Request{Principal: app, Action: "s3:GetObject", Resource: "arn:aws:s3:::data/*", Context: here}

func TestDenyAlwaysWins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ps := Policies{Identity: []*Policy{parsed(append(statements(t, "identity", "Allow", "Deny"), `{"Effect":"Deny","Action":"s3:GetObject","Resource":"arn:aws:s3:::data/*"}`))}}
		if rapid.Bool().Draw(t, "resource policy") {
			ps.Resource = parsed([]string{`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}`})
		}
		if got := ps.May(asked); got.Truth != No {
			t.Fatalf("%+v", got)
		}
	})
}

func TestAddingAnAllowNeverRemovesAccess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := statements(t, "before", "Allow", "Deny")
		more := statements(t, "more", "Allow")
		without := Policies{Identity: []*Policy{parsed(before)}}
		with := Policies{Identity: []*Policy{parsed(before), parsed(more)}}
		if a, b := without.May(asked).Truth, with.May(asked).Truth; b < a {
			t.Fatalf("%v became %v", a, b)
		}
	})
}

func TestAddingADenyNeverGivesAccess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := statements(t, "before", "Allow", "Deny")
		more := statements(t, "more", "Deny")
		without := Policies{Identity: []*Policy{parsed(before)}}
		with := Policies{Identity: []*Policy{parsed(append(before, more...))}}
		if a, b := without.May(asked).Truth, with.May(asked).Truth; b > a {
			t.Fatalf("%v became %v", a, b)
		}
	})
}

// TestAnObjectThatMayBeReadIsFound asks for concrete objects one by one: where one of them may
// be read for certain, the bucket as a whole must not be a No.
func TestAnObjectThatMayBeReadIsFound(t *testing.T) {
	objects := []string{"a/b", "a/x", "b", "x", "x/y", "c/b", "a/b/b"}
	rapid.Check(t, func(t *rapid.T) {
		ps := Policies{Identity: []*Policy{parsed(statements(t, "identity", "Allow", "Deny"))}}
		whole := ps.May(asked).Truth
		for _, o := range objects {
			one := asked
			one.Resource = "arn:aws:s3:::data/" + o
			if got := ps.evaluate(one).Truth; got > whole {
				t.Fatalf("%s: %v, the bucket %v", o, got, whole)
			}
		}
	})
}

func TestAWitnessMatchesBothPatterns(t *testing.T) {
	pattern := rapid.StringOfN(rapid.SampledFrom([]rune("ab/*?")), 0, 12, -1)
	word := rapid.StringOfN(rapid.SampledFrom([]rune("ab/")), 0, 8, -1)
	rapid.Check(t, func(t *rapid.T) {
		a, b, s := pattern.Draw(t, "a"), pattern.Draw(t, "b"), word.Draw(t, "word")
		found, tooMany := witnesses(a, b)
		for _, w := range found {
			if !triad.MatchPattern(a, w) || !triad.MatchPattern(b, w) {
				t.Fatalf("%q is no witness of %q and %q", w, a, b)
			}
		}
		if found == nil && !tooMany && triad.MatchPattern(a, s) && triad.MatchPattern(b, s) {
			t.Fatalf("%q matches %q and %q, and there shall be none", s, a, b)
		}
	})
}
