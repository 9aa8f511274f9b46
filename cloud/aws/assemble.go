package aws

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/cloud/identity"
)

// collector is the name and version of what makes these reports.
const collector = "aws/1"

// assembly builds a report from the outputs of calls.
type assembly struct {
	scope   scope
	outputs map[string]output
	parsed  map[string]parsedOutput
	assets  map[string]*asset
	order   []*asset
	// unread holds the reasons by call; a call with none and an output is complete. failed
	// holds them by call and owner, for calls that are made once per thing.
	unread map[string][]string
	failed map[string]map[string]string
	now    time.Time

	principals      map[string]*principal
	managedPolicies map[string]parsedPolicy
	narrowed        map[string]identity.Policies
	profileRoles    map[string]string
	managed         []networkInterface
	interfacesRead  bool
}

type parsedOutput struct {
	top map[string]json.RawMessage
	err error
}

// asset is an asset whose document is still growing.
type asset struct {
	triad.Asset
	doc map[string]json.RawMessage
}

// assemble makes the report of a scope from its calls' outputs, which were begun at now.
func assemble(s scope, outputs map[string]output, now time.Time) *triad.Report {
	a := &assembly{
		scope: s, outputs: outputs, now: now,
		parsed: map[string]parsedOutput{}, assets: map[string]*asset{},
		unread: map[string][]string{}, failed: map[string]map[string]string{},
		principals: map[string]*principal{}, managedPolicies: map[string]parsedPolicy{}, narrowed: map[string]identity.Policies{},
	}
	for i := range calls {
		c := &calls[i]
		if _, made := outputs[c.name]; !made {
			continue
		}
		top, err := a.parse(c.name)
		if err != nil {
			a.fail(c.name, err)
			continue
		}
		if c.id != "" {
			err = a.addAssets(c, top)
		} else {
			err = a.fold(c, top)
		}
		if err != nil {
			a.fail(c.name, err)
		}
	}
	r := &triad.Report{
		Tenant: triad.DefaultTenant, Scope: s.String(), Collector: collector,
		Taken: now, Revision: now.UnixMicro(),
	}
	a.derive(r)
	for _, x := range a.order {
		doc, err := marshal(x.doc)
		if err == nil && len(doc) > maxDoc {
			err = fmt.Errorf("the document of %s has %d bytes, over the limit of %d", x.ID, len(doc), maxDoc)
		}
		if err != nil {
			a.fail(x.Section, err)
			continue
		}
		x.Doc = doc
	}
	for _, x := range a.order {
		if x.Doc != nil {
			r.Assets = append(r.Assets, x.Asset)
		}
	}
	r.Sections = a.sections()
	return r
}

// fail notes why a call's section is not read whole.
func (a *assembly) fail(call string, err error) {
	if reason := strings.ReplaceAll(err.Error(), "\n", "; "); !slices.Contains(a.unread[call], reason) {
		a.unread[call] = append(a.unread[call], reason)
	}
}

// parse decodes the top level of a call's output once. What a failed call gave nevertheless
// is used.
func (a *assembly) parse(name string) (map[string]json.RawMessage, error) {
	if p, ok := a.parsed[name]; ok {
		return p.top, p.err
	}
	o := a.outputs[name]
	var p parsedOutput
	switch {
	case o.raw == nil && o.err != nil:
		p.err = o.err
	default:
		if o.err != nil {
			a.fail(name, o.err)
		}
		if p.err = checkDepth(o.raw); p.err == nil {
			p.top, p.err = object(o.raw)
		}
		if p.err != nil {
			p.err = fmt.Errorf("reading %s.json: %w", name, p.err)
		} else if sign := truncated(p.top); sign != "" {
			a.fail(name, fmt.Errorf("the output is not whole: %s", sign))
		}
	}
	a.parsed[name] = p
	return p.top, p.err
}

// rows returns the elements of a call's list. Where the list is missing and every value has
// one, somebody made the call per thing and kept the outputs by its ID.
func (a *assembly) rows(c *call, top map[string]json.RawMessage) ([]json.RawMessage, error) {
	if c.list == "" {
		raw, err := marshal(top)
		return []json.RawMessage{raw}, err
	}
	head, _, _ := strings.Cut(c.list, ".")
	if _, ok := top[head]; ok {
		return elements(top, c.list)
	}
	if !c.keyed && (len(top) == 0 || c.name == callIAM) {
		return nil, fmt.Errorf("%w: it has no %q", errShape, head)
	}
	var out []json.RawMessage
	for _, key := range slices.Sorted(maps.Keys(top)) {
		inner, err := object(top[key])
		if err != nil {
			return nil, fmt.Errorf("%w: it has no %q", errShape, head)
		}
		found, err := elements(inner, c.list)
		if err != nil {
			return out, err
		}
		if sign := truncated(inner); sign != "" {
			a.fail(c.name, fmt.Errorf("the output for %s is not whole: %s", key, sign))
		}
		out = append(out, found...)
	}
	return out, nil
}

func (a *assembly) addAssets(c *call, top map[string]json.RawMessage) error {
	rows, err := a.rows(c, top)
	for i, raw := range rows {
		if e := a.addAsset(c, raw); e != nil {
			err = errors.Join(err, fmt.Errorf("%s %d: %w", c.kind, i+1, e))
			if i > 100 { // enough said
				break
			}
		}
	}
	return err
}

func (a *assembly) addAsset(c *call, raw json.RawMessage) error {
	raw, err := canonical(raw)
	if err != nil {
		return err
	}
	doc, err := object(raw)
	if err != nil {
		return err
	}
	id := a.identify(c.id, doc)
	if id == "" {
		return fmt.Errorf("%w: an element has no %s", errShape, c.id)
	}
	x := a.assets[id]
	if x == nil {
		x = &asset{Asset: triad.Asset{ID: id, Type: c.typ, Kind: c.kind, Section: c.name}, doc: doc}
		a.assets[id] = x
		a.order = append(a.order, x)
	} else {
		// Two calls tell of one thing, such as a VPC's transit gateway attachment.
		for k, v := range doc {
			if _, has := x.doc[k]; !has {
				x.doc[k] = v
			}
		}
	}
	if c.tags != "" {
		x.tag(doc[c.tags])
	}
	if x.Name == "" {
		x.Name = text(doc, c.label)
	}
	return nil
}

// identify reads an ID from a document by a field, alternatives or a template; empty when a
// field is missing.
func (a *assembly) identify(spec string, doc map[string]json.RawMessage) string {
	if !strings.Contains(spec, "{") {
		for field := range strings.SplitSeq(spec, "|") {
			if id := text(doc, field); id != "" {
				return id
			}
		}
		return ""
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(spec, "{")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		var field string
		field, spec, _ = strings.Cut(rest, "}")
		value := ""
		switch field {
		case "partition":
			value = a.scope.partition()
		case "region":
			value = a.scope.region
		case "account":
			value = a.scope.account
		default:
			value = text(doc, field)
		}
		if value == "" {
			return ""
		}
		b.WriteString(value)
	}
}

// text is a string field; empty when there is none.
func text(doc map[string]json.RawMessage, field string) string {
	var s string
	if json.Unmarshal(doc[field], &s) != nil {
		return ""
	}
	return s
}

// tag adds tags given as [{"Key":…,"Value":…}] or as an object.
func (x *asset) tag(raw json.RawMessage) {
	tags := map[string]string{}
	var list []struct{ Key, Value string }
	if json.Unmarshal(raw, &list) == nil {
		for _, t := range list {
			tags[t.Key] = t.Value
		}
	} else if json.Unmarshal(raw, &tags) != nil {
		return
	}
	if len(tags) == 0 {
		return
	}
	if x.Tags == nil {
		x.Tags = map[string]string{}
	}
	maps.Copy(x.Tags, tags)
	if name := tags["Name"]; name != "" && x.Name == "" {
		x.Name = name
	}
}

// fold adds a keyed call's output to the assets it tells of.
func (a *assembly) fold(c *call, top map[string]json.RawMessage) error {
	if c.list != "" {
		return a.foldList(c, top)
	}
	var errs []error
	seen := map[string]bool{}
	owners := a.owners(c.owner)
	for _, key := range slices.Sorted(maps.Keys(top)) {
		x := owners[key]
		if x == nil {
			continue // not, or no longer, among the owners
		}
		seen[key] = true
		err := a.foldOne(c, x, top[key])
		if err == nil {
			continue
		}
		a.failOwner(c.name, x, err)
		if !errors.Is(err, errNotRead) || a.outputs[c.name].err == nil {
			errs = append(errs, fmt.Errorf("for %s: %w", key, err))
		}
	}
	if c.every != nil {
		for _, key := range slices.Sorted(maps.Keys(owners)) {
			if !seen[key] && c.every(key) {
				err := fmt.Errorf("there is no entry for %s", key)
				a.failOwner(c.name, owners[key], err)
				errs = append(errs, err)
			}
		}
	}
	if len(errs) > 20 {
		errs = append(errs[:20], fmt.Errorf("and %d more", len(errs)-20))
	}
	return errors.Join(errs...)
}

// errNotRead: a recorded collection holds null where the call for one owner failed.
var errNotRead = errors.New("it was not read")

func (a *assembly) failOwner(call string, x *asset, err error) {
	if a.failed[call] == nil {
		a.failed[call] = map[string]string{}
	}
	a.failed[call][x.ID] = err.Error()
}

// subUnread says why a call made once per thing was not read for one of them; empty when it
// was, with or without something to be found.
func (a *assembly) subUnread(call string, x *asset) string {
	if why := a.failed[call][x.ID]; why != "" {
		return why
	}
	if _, made := a.outputs[call]; !made {
		return "there is no " + call + ".json"
	}
	if _, err := a.parse(call); err != nil {
		return err.Error()
	}
	return ""
}

func (a *assembly) foldOne(c *call, x *asset, raw json.RawMessage) error {
	if string(raw) == "null" {
		return errNotRead
	}
	value, err := object(raw)
	if err != nil {
		return err
	}
	if sign := truncated(value); sign != "" {
		a.fail(c.name, fmt.Errorf("the output for %s is not whole: %s", x.ID, sign))
	}
	if c.take != "" {
		raw = value[c.take]
		switch {
		case raw == nil && c.lacking:
			return nil
		case raw == nil:
			return fmt.Errorf("%w: it has no %q", errShape, c.take)
		}
	}
	// Through the key, so that a policy given as a string is decoded.
	wrapped, err := marshal(map[string]json.RawMessage{c.into: raw})
	if err != nil {
		return err
	}
	if wrapped, err = canonical(wrapped); err != nil {
		return err
	}
	m, err := object(wrapped)
	if err != nil {
		return err
	}
	if folded, ok := m[c.into]; ok {
		x.doc[c.into] = folded
		if c.into == "Tags" {
			x.tag(folded)
		}
	}
	return nil
}

// foldList adds each element of a list to the asset that it names.
func (a *assembly) foldList(c *call, top map[string]json.RawMessage) error {
	rows, err := a.rows(c, top)
	if err != nil {
		return err
	}
	lists := map[string][]json.RawMessage{}
	for _, raw := range rows {
		if raw, err = canonical(raw); err != nil {
			return err
		}
		row, err := object(raw)
		if err != nil {
			return err
		}
		x := a.owner(text(row, c.each))
		switch {
		case x == nil:
		case c.take != "":
			if row[c.take] != nil {
				x.doc[c.into] = row[c.take]
				x.tag(row[c.take])
			}
		default:
			lists[x.ID] = append(lists[x.ID], raw)
		}
	}
	for id, list := range lists {
		if a.assets[id].doc[c.into], err = marshal(list); err != nil {
			return err
		}
	}
	return nil
}

// owner finds an asset by ARN, also by a function's ARN with a version or alias behind it.
func (a *assembly) owner(arn string) *asset {
	if x := a.assets[arn]; x != nil {
		return x
	}
	if i := strings.LastIndexByte(arn, ':'); i > 0 {
		return a.assets[arn[:i]]
	}
	return nil
}

// owners lists the assets that a folding row adds to by the key that its output uses.
func (a *assembly) owners(o owner) map[string]*asset {
	out := map[string]*asset{}
	for _, x := range a.order {
		if x.Kind == o.kind {
			key := x.ID
			if o.by != "" {
				key = text(x.doc, o.by)
			}
			out[key] = x
		}
	}
	return out
}

// sections tells of each call whether it was read whole.
func (a *assembly) sections() []triad.Section {
	present := map[string]bool{}
	for name := range a.outputs {
		present[serviceOf(name)] = true
	}
	var out []triad.Section
	done := map[string]bool{}
	for i := range calls {
		c := &calls[i]
		if done[c.name] {
			continue
		}
		done[c.name] = true
		s := triad.Section{Name: c.name, Status: triad.SectionComplete}
		_, made := a.outputs[c.name]
		switch {
		case len(a.unread[c.name]) > 0:
			s.Status, s.Reason = triad.SectionUnread, strings.Join(a.unread[c.name], "; ")
		case made:
		case a.nothingToAsk(c):
			// Complete: the call is made once per owner and there is none.
		case c.need == core || c.need == service && present[serviceOf(c.name)]:
			s.Status, s.Reason = triad.SectionUnread, "there is no "+c.name+".json"
		case c.need == extra && present[serviceOf(c.name)]:
			s.Status, s.Reason = triad.SectionAbsent, "there is no "+c.name+".json"
		default:
			s.Status, s.Reason = triad.SectionAbsent, "nothing of "+serviceOf(c.name)+" was collected"
		}
		out = append(out, s)
	}
	return append(out, derivedSections(out)...)
}

// derivedSections tells of what is derived from several calls.
func derivedSections(read []triad.Section) []triad.Section {
	state := map[string]triad.Section{}
	for _, s := range read {
		state[s.Name] = s
	}
	var out []triad.Section
	add := func(name, first string, more ...string) {
		s := triad.Section{Name: name, Status: triad.SectionComplete}
		for _, call := range append([]string{first}, more...) {
			switch state[call].Status {
			case triad.SectionUnread:
				if s.Status == triad.SectionComplete {
					s.Status, s.Reason = triad.SectionUnread, "it takes "+call+", which is unread"
				}
			case triad.SectionAbsent:
				if call == first {
					s.Status, s.Reason = triad.SectionAbsent, state[call].Reason
				}
			}
			if s.Status == triad.SectionAbsent {
				break
			}
		}
		out = append(out, s)
	}
	add(sectionInstanceRoles, callInstances, callIAM)
	add(sectionRoleChains, callIAM)
	add(accessSection(callBuckets), callBuckets, callIAM, callPolicy, "s3api-get-bucket-tagging")
	add(accessSection(callRDS), callRDS, callIAM, callRDSClusters)
	add(accessSection(callRedshift), callRedshift, callIAM)
	add(accessSection(callTables), callTables, callIAM)
	return out
}

// nothingToAsk: the row's owners were read whole and there are none.
func (a *assembly) nothingToAsk(c *call) bool {
	if c.into == "" || c.list != "" || len(a.unread[c.owner.call]) > 0 {
		return false
	}
	_, made := a.outputs[c.owner.call]
	return made && len(a.owners(c.owner)) == 0
}
