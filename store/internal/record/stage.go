package record

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/triad-security/triad"
)

// What may wait of one scope for its missing parts. Beyond it the oldest revision goes.
const (
	maxStagedRevisions = 8
	maxStagedBytes     = 4 << 30
)

// header is what all parts of a report have in common.
type header struct {
	Base     int64           `json:"base"`
	Parts    int             `json:"parts"`
	Sections []triad.Section `json:"sections"`
}

// stage keeps one part and says whether all are there now.
func (a *apply) stage(ctx context.Context) (whole bool, err error) {
	r := a.report
	mine := header{r.Base, r.Parts, slices.Clone(r.Sections)}
	slices.SortFunc(mine.Sections, func(x, y triad.Section) int { return strings.Compare(x.Name, y.Name) })
	e := newEncoder()
	head, err := e.json(mine)
	if err != nil {
		return false, err
	}
	have, others, err := a.staged(ctx)
	if err != nil {
		return false, err
	}
	if others != "" && others != head {
		return false, triad.Errorf(triad.CodeInvalid, "part %d of %s@%d: its base, number of parts or sections differ from those of the parts before: all parts of a report carry the same", r.Part, r.Scope, r.Revision)
	}
	if slices.Contains(have, r.Part) {
		return false, nil // a repeat; had all been there, they would have been applied
	}
	if len(have)+1 == r.Parts {
		return true, nil // the last need not be stored
	}
	doc, err := e.json(r)
	if err != nil {
		return false, triad.Errorf(triad.CodeInvalid, "encoding part %d of %s@%d: %w", r.Part, r.Scope, r.Revision, err)
	}
	if _, err := a.tx.ExecContext(ctx, `insert into parts (tenant, scope, revision, part, header, bytes, doc) values ($1, $2, $3, $4, $5, $6, $7)`,
		a.tenant, a.scope, r.Revision, r.Part, head, len(doc), doc); err != nil {
		return false, fmt.Errorf("keeping part %d: %w", r.Part, err)
	}
	return false, a.boundStaged(ctx)
}

// staged lists the parts that wait for this revision, with their header.
func (a *apply) staged(ctx context.Context) (parts []int, head string, err error) {
	rows, err := a.tx.QueryContext(ctx, `select part, header from parts where tenant = $1 and scope = $2 and revision = $3`, a.tenant, a.scope, a.report.Revision)
	if err != nil {
		return nil, "", fmt.Errorf("reading the parts kept: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var part int
		if err := rows.Scan(&part, &head); err != nil {
			return nil, "", fmt.Errorf("reading the parts kept: %w", err)
		}
		parts = append(parts, part)
	}
	return parts, head, rows.Err()
}

// part reads back one kept part.
func (a *apply) part(ctx context.Context, part int) (*triad.Report, error) {
	var doc string
	if err := a.tx.QueryRowContext(ctx, `select doc from parts where tenant = $1 and scope = $2 and revision = $3 and part = $4`,
		a.tenant, a.scope, a.report.Revision, part).Scan(&doc); err != nil {
		return nil, fmt.Errorf("reading part %d: %w", part, err)
	}
	r := new(triad.Report)
	if err := json.Unmarshal([]byte(doc), r); err != nil {
		return nil, fmt.Errorf("decoding part %d: %w", part, err)
	}
	return r, nil
}

func (a *apply) unstage(ctx context.Context, revision int64) error {
	_, err := a.tx.ExecContext(ctx, `delete from parts where tenant = $1 and scope = $2 and revision = $3`, a.tenant, a.scope, revision)
	if err != nil {
		return fmt.Errorf("dropping the parts of revision %d: %w", revision, err)
	}
	return nil
}

// waiting is a revision with parts kept.
type waiting struct {
	revision, bytes int64
	header          string
}

func (a *apply) waiting(ctx context.Context) ([]waiting, error) {
	rows, err := a.tx.QueryContext(ctx, `select revision, max(header), sum(bytes) from parts where tenant = $1 and scope = $2 group by revision order by revision desc`, a.tenant, a.scope)
	if err != nil {
		return nil, fmt.Errorf("listing the parts kept: %w", err)
	}
	defer rows.Close()
	var all []waiting
	for rows.Next() {
		var w waiting
		if err := rows.Scan(&w.revision, &w.header, &w.bytes); err != nil {
			return nil, fmt.Errorf("listing the parts kept: %w", err)
		}
		all = append(all, w)
	}
	return all, rows.Err()
}

// boundStaged drops the parts of the oldest revisions while too much waits.
func (a *apply) boundStaged(ctx context.Context) error {
	all, err := a.waiting(ctx)
	if err != nil {
		return err
	}
	var bytes int64
	for i, w := range all {
		if bytes += w.bytes; i < maxStagedRevisions && bytes <= maxStagedBytes {
			continue
		}
		if i == 0 {
			return triad.Errorf(triad.CodeInvalid, "report %s@%d: its parts have more than %d bytes", a.scope, w.revision, int64(maxStagedBytes))
		}
		if err := a.unstage(ctx, w.revision); err != nil {
			return err
		}
	}
	return nil
}

// unstageSuperseded drops the parts of this report and of those that can have no effect.
func (a *apply) unstageSuperseded(ctx context.Context) error {
	all, err := a.waiting(ctx)
	if err != nil {
		return err
	}
	for _, w := range all {
		var head header
		if err := json.Unmarshal([]byte(w.header), &head); err != nil {
			return fmt.Errorf("decoding the header of revision %d: %w", w.revision, err)
		}
		drop := w.revision == a.report.Revision
		if head.Base != 0 {
			drop = drop || a.revision > head.Base
		} else {
			drop = drop || a.revision >= w.revision && superseded(a.sections, head.Sections, w.revision)
		}
		if !drop {
			continue
		}
		if err := a.unstage(ctx, w.revision); err != nil {
			return err
		}
	}
	return nil
}
