package triad

// Split cuts a report into parts of at most maxRows rows each, which travel apart and take
// effect together. A report that fits is returned as it is.
func (r *Report) Split(maxRows int) []*Report {
	rows := len(r.Assets) + len(r.Relations) + len(r.Packages) + len(r.Findings) + len(r.Removed)
	if rows <= maxRows {
		return []*Report{r}
	}
	rest := *r
	var parts []*Report
	for len(rest.Assets)+len(rest.Relations)+len(rest.Packages)+len(rest.Findings)+len(rest.Removed) > 0 {
		part := *r
		room := maxRows
		part.Assets, rest.Assets, room = take(rest.Assets, room)
		part.Relations, rest.Relations, room = take(rest.Relations, room)
		part.Packages, rest.Packages, room = take(rest.Packages, room)
		part.Findings, rest.Findings, room = take(rest.Findings, room)
		part.Removed, rest.Removed, _ = take(rest.Removed, room)
		parts = append(parts, &part)
	}
	for i, part := range parts {
		part.Part, part.Parts = i+1, len(parts)
	}
	return parts
}

func take[T any](rows []T, room int) (taken, rest []T, left int) {
	n := min(len(rows), room)
	return rows[:n], rows[n:], room - n
}
