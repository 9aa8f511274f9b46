package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/sse"

	"github.com/triad-security/triad"
)

// RiskChanged is sent when a decision appears or changes.
type RiskChanged struct {
	Risk  triad.Decision `json:"risk"`
	Cause string         `json:"cause"`
	Seq   int64          `json:"seq"`
}

// RiskRemoved is sent when a decision is gone.
type RiskRemoved struct {
	ID    string `json:"id"`
	Cause string `json:"cause"`
	Seq   int64  `json:"seq"`
}

// Heartbeat keeps the connection alive and says where the log stands.
type Heartbeat struct {
	Position int64 `json:"position"`
}

type eventsInput struct {
	After  int64 `query:"after" minimum:"0" doc:"change log position after which to begin; the list's own position"`
	LastID int64 `header:"Last-Event-ID" doc:"sent by a browser that reconnects"`
}

// heartbeat is also how long a lost wake-up can go unnoticed.
const heartbeat = 15 * time.Second

func (s *Service) events(api huma.API) {
	sse.Register(api, huma.Operation{
		OperationID: "stream-events", Method: http.MethodGet, Path: "/api/v1/events", Summary: "Changed decisions as they happen",
		Middlewares: s.guard(api, actionRead),
	}, map[string]any{
		"risk":      RiskChanged{},
		"removed":   RiskRemoved{},
		"heartbeat": Heartbeat{},
	}, func(ctx context.Context, in *eventsInput, send sse.Sender) {
		if err := s.stream(ctx, max(in.After, in.LastID), send); err != nil && ctx.Err() == nil {
			s.Log.Error("streaming events", "error", err)
		}
	})
}

// stream sends what the change log holds after a position, then what is added to it. The bus
// only wakes it: a lost wake-up costs at most a heartbeat.
func (s *Service) stream(ctx context.Context, position int64, send sse.Sender) error {
	tenant := tokenOf(ctx).Tenant
	wake, err := s.Bus.Listen(ctx, DecisionsTopic)
	if err != nil {
		return err
	}
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	if err := send(sse.Message{Data: Heartbeat{position}}); err != nil {
		return nil // the client has gone
	}
	for {
		for {
			changes, err := s.Store.Changes(ctx, tenant, position, 500)
			if err != nil {
				return err
			}
			if len(changes) == 0 {
				break
			}
			for _, c := range changes {
				position = c.Seq
				message, ok := eventOf(c)
				if !ok {
					continue
				}
				if err := send(message); err != nil {
					return nil
				}
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case _, ok := <-wake:
			if !ok {
				return nil
			}
		case <-tick.C:
			if err := send(sse.Message{Data: Heartbeat{position}}); err != nil {
				return nil
			}
		}
	}
}

func eventOf(c triad.Change) (sse.Message, bool) {
	if c.Kind != triad.RowDecision {
		return sse.Message{}, false
	}
	if c.After == nil {
		return sse.Message{ID: int(c.Seq), Data: RiskRemoved{ID: c.Key, Cause: c.Cause, Seq: c.Seq}}, true
	}
	var d triad.Decision
	if json.Unmarshal(c.After, &d) != nil {
		return sse.Message{}, false
	}
	return sse.Message{ID: int(c.Seq), Data: RiskChanged{Risk: d, Cause: c.Cause, Seq: c.Seq}}, true
}
