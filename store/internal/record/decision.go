package record

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/triad-security/triad"
)

// outcomes in the order of urgency; a decision's rank is the index.
var outcomes = []triad.Outcome{triad.Immediate, triad.OutOfCycle, triad.Scheduled, triad.Defer}

// SaveDecisions implements triad.Store. Changed is kept from the stored decision unless the
// outcome differs; it does not count as a difference.
func (s *Store) SaveDecisions(ctx context.Context, tenant string, at int64, cause func(triad.Decision) string, put []triad.Decision, remove []string) error {
	err := s.update(ctx, func(tx *Tx) error {
		d := &decisions{s: s, tx: tx, tenant: tenant, cause: cause, log: s.newLog(tx, tenant), enc: newEncoder()}
		for _, decision := range put {
			if err := d.put(ctx, decision); err != nil {
				return err
			}
		}
		for _, id := range remove {
			if err := d.remove(ctx, id); err != nil {
				return err
			}
		}
		if err := d.log.close(ctx); err != nil {
			return err
		}
		return setPosition(ctx, tx, tenant, positionDecisions, at)
	})
	if err != nil {
		return fmt.Errorf("saving decisions of tenant %s: %w", tenant, err)
	}
	return nil
}

// decisions is one SaveDecisions at work.
type decisions struct {
	s      *Store
	tx     *Tx
	tenant string
	cause  func(triad.Decision) string
	log    *log
	enc    *encoder
}

func (d *decisions) put(ctx context.Context, decision triad.Decision) error {
	rank := slices.Index(outcomes, decision.Outcome)
	if rank < 0 || decision.ID == "" || len(decision.ID) > maxIndexed {
		return triad.Errorf(triad.CodeInvalid, "decision %.100q: unknown outcome %.40q, or an ID that does not have 1 to %d bytes", decision.ID, decision.Outcome, maxIndexed)
	}
	oldHash, old, err := d.stored(ctx, decision.ID)
	if err != nil {
		return err
	}
	given := decision.Changed
	decision.Changed = time.Time{}
	content, err := d.enc.json(decision)
	if err != nil {
		return fmt.Errorf("encoding decision %s: %w", decision.ID, err)
	}
	newHash := hash(content)
	if newHash == oldHash {
		return nil
	}
	if decision.Changed = given; given.IsZero() {
		decision.Changed = d.s.now().UTC().Truncate(time.Millisecond)
	}
	if old != "" {
		var before triad.Decision
		if err := json.Unmarshal([]byte(old), &before); err != nil {
			return fmt.Errorf("decoding decision %s: %w", decision.ID, err)
		}
		if before.Outcome == decision.Outcome {
			decision.Changed = before.Changed
		}
	}
	doc, err := d.enc.json(decision)
	if err != nil {
		return fmt.Errorf("encoding decision %s: %w", decision.ID, err)
	}
	inUse := 1
	if decision.InUse != nil {
		if inUse = 0; *decision.InUse {
			inUse = 2
		}
	}
	words := slices.Concat([]string{decision.Finding.ID, decision.Asset.Name}, decision.Finding.Aliases)
	if _, err := d.tx.ExecContext(ctx, `insert into decisions (tenant, id, outcome, epss, in_use, cvss, exposure, kind, asset, words, hash, doc)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		on conflict (tenant, id) do update set outcome = excluded.outcome, epss = excluded.epss, in_use = excluded.in_use, cvss = excluded.cvss,
		exposure = excluded.exposure, kind = excluded.kind, asset = excluded.asset, words = excluded.words, hash = excluded.hash, doc = excluded.doc`,
		d.tenant, decision.ID, rank, decision.EPSS, inUse, decision.CVSS, string(decision.Exposure), string(decision.Finding.Kind),
		indexKey(decision.Asset.ID), cleanText(strings.ToLower(strings.Join(words, "\n"))), newHash, doc); err != nil {
		return fmt.Errorf("saving decision %s: %w", decision.ID, err)
	}
	return d.log.add(ctx, Entry{Kind: string(triad.RowDecision), Key: indexKey(decision.ID), Before: old, After: doc, Cause: cleanText(d.cause(decision))})
}

func (d *decisions) remove(ctx context.Context, id string) error {
	_, old, err := d.stored(ctx, id)
	if err != nil || old == "" {
		return err
	}
	if _, err := d.tx.ExecContext(ctx, `delete from decisions where tenant = $1 and id = $2`, d.tenant, id); err != nil {
		return fmt.Errorf("removing decision %s: %w", id, err)
	}
	var decision triad.Decision
	if err := json.Unmarshal([]byte(old), &decision); err != nil {
		return fmt.Errorf("decoding decision %s: %w", id, err)
	}
	return d.log.add(ctx, Entry{Kind: string(triad.RowDecision), Key: id, Before: old, Cause: cleanText(d.cause(decision))})
}

func (d *decisions) stored(ctx context.Context, id string) (hash, doc string, err error) {
	err = d.tx.QueryRowContext(ctx, `select hash, doc from decisions where tenant = $1 and id = $2`+d.s.dialect.Lock(), d.tenant, id).Scan(&hash, &doc)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", "", fmt.Errorf("reading decision %s: %w", id, err)
	}
	return hash, doc, nil
}

// DecisionsPosition implements triad.Store.
func (s *Store) DecisionsPosition(ctx context.Context, tenant string) (p int64, err error) {
	err = s.view(ctx, func(tx *sql.Tx) error {
		p, err = position(ctx, tx, tenant, positionDecisions, "")
		return err
	})
	return p, err
}

// filter is a DecisionFilter as a condition with its arguments.
type filter struct {
	where strings.Builder
	args  []any
}

func newFilter(tenant string, f triad.DecisionFilter) *filter {
	q := new(filter)
	q.where.WriteString("tenant = " + q.bind(tenant))
	if len(f.Outcomes) > 0 {
		var ranks []any
		for _, o := range f.Outcomes {
			ranks = append(ranks, slices.Index(outcomes, o)) // -1 selects nothing
		}
		q.in("outcome", ranks)
	}
	if len(f.Exposure) > 0 {
		var exposures []any
		for _, e := range f.Exposure {
			exposures = append(exposures, string(e))
		}
		q.in("exposure", exposures)
	}
	if f.Kind != "" {
		q.where.WriteString(" and kind = " + q.bind(string(f.Kind)))
	}
	if f.Asset != "" {
		q.where.WriteString(" and asset = " + q.bind(indexKey(f.Asset)))
	}
	if f.Text != "" {
		literal := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(cleanText(strings.ToLower(f.Text)))
		q.where.WriteString(" and words like " + q.bind("%"+literal+"%") + ` escape '\'`)
	}
	return q
}

func (q *filter) bind(v any) string {
	q.args = append(q.args, v)
	return "$" + strconv.Itoa(len(q.args))
}

func (q *filter) in(column string, values []any) {
	marks := make([]string, len(values))
	for i, v := range values {
		marks[i] = q.bind(v)
	}
	q.where.WriteString(" and " + column + " in (" + strings.Join(marks, ", ") + ")")
}

// Decisions implements triad.Store.
func (s *Store) Decisions(ctx context.Context, tenant string, f triad.DecisionFilter) ([]triad.Decision, error) {
	q := newFilter(tenant, f)
	q.where.WriteString(" order by outcome, epss desc, in_use desc, cvss desc, id")
	if f.Limit > 0 || f.Offset > 0 {
		limit := int64(f.Limit)
		if limit <= 0 {
			limit = 1 << 62
		}
		q.where.WriteString(" limit " + q.bind(limit) + " offset " + q.bind(max(f.Offset, 0)))
	}
	var all []triad.Decision
	err := s.view(ctx, func(tx *sql.Tx) error {
		return documents(ctx, tx, func(d triad.Decision) error {
			all = append(all, d)
			return nil
		}, `select doc from decisions where `+q.where.String(), q.args...)
	})
	if err != nil {
		return nil, fmt.Errorf("reading decisions of tenant %s: %w", tenant, err)
	}
	return all, nil
}

// CountDecisions implements triad.Store.
func (s *Store) CountDecisions(ctx context.Context, tenant string, f triad.DecisionFilter) (map[triad.Outcome]int, error) {
	q := newFilter(tenant, f)
	counts := map[triad.Outcome]int{}
	err := s.view(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `select outcome, count(*) from decisions where `+q.where.String()+` group by outcome`, q.args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var rank, n int
			if err := rows.Scan(&rank, &n); err != nil {
				return err
			}
			counts[outcomes[rank]] = n
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("counting decisions of tenant %s: %w", tenant, err)
	}
	return counts, nil
}

// Decision implements triad.Store.
func (s *Store) Decision(ctx context.Context, tenant, id string) (triad.Decision, error) {
	var d triad.Decision
	err := s.view(ctx, func(tx *sql.Tx) error {
		var doc string
		err := tx.QueryRowContext(ctx, `select doc from decisions where tenant = $1 and id = $2`, tenant, id).Scan(&doc)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return triad.Errorf(triad.CodeNotFound, "there is no decision %s", id)
		case err != nil:
			return fmt.Errorf("reading decision %s: %w", id, err)
		}
		return json.Unmarshal([]byte(doc), &d)
	})
	return d, err
}
