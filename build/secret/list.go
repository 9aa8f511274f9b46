package secret

// Rule is a kind of secret that is looked for, as reports list it.
type Rule struct{ ID, Title, Severity string }

// Rules lists the kinds of secrets that are looked for, the most certain first.
func Rules() []Rule {
	all := make([]Rule, 0, len(rules()))
	for _, r := range rules() {
		all = append(all, Rule{r.id, r.title, r.severity})
	}
	return all
}
