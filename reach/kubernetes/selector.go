package kubernetes

import "slices"

// labelSelector is a meta/v1 LabelSelector. The empty one selects everything; where the API
// means "nothing" by a null selector, the field is a pointer.
type labelSelector struct {
	MatchLabels      map[string]string `json:"matchLabels"`
	MatchExpressions []struct {
		Key      string   `json:"key"`
		Operator string   `json:"operator"`
		Values   []string `json:"values"`
	} `json:"matchExpressions"`
}

// matches reports whether labels satisfy every requirement. An operator that the API does
// not know makes known false.
func (s *labelSelector) matches(labels map[string]string) (match, known bool) {
	if !subset(s.MatchLabels, labels) {
		return false, true
	}
	for _, e := range s.MatchExpressions {
		value, has := labels[e.Key]
		var ok bool
		switch e.Operator {
		case "In":
			ok = has && slices.Contains(e.Values, value)
		case "NotIn": // also where the label is missing
			ok = !has || !slices.Contains(e.Values, value)
		case "Exists":
			ok = has
		case "DoesNotExist":
			ok = !has
		default:
			return false, false
		}
		if !ok {
			return false, true
		}
	}
	return true, true
}

// subset reports whether labels carry every pair of want.
func subset(want, labels map[string]string) bool {
	for k, v := range want {
		if have, ok := labels[k]; !ok || have != v {
			return false
		}
	}
	return true
}

// firstPair is the selector's label pair under which its object is looked up: whoever it
// selects carries that pair. It is empty for a selector without pairs.
func firstPair(pairs map[string]string) string {
	first := ""
	for k := range pairs {
		if first == "" || k < first {
			first = k
		}
	}
	if first == "" {
		return ""
	}
	return first + "=" + pairs[first]
}
