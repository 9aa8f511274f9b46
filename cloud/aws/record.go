package aws

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// record writes outputs to dir/ACCOUNT/REGION in the form that FromDir reads.
func record(dir string, s scope, outputs map[string]output) error {
	dir = filepath.Join(dir, s.account, s.region)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("recording: %w", err)
	}
	write := func(name string, v any) error {
		raw, err := json.MarshalIndent(v, "", "  ")
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), append(raw, '\n'), 0o600)
		}
		if err != nil {
			return fmt.Errorf("recording %s: %w", name, err)
		}
		return nil
	}
	unread := map[string]string{}
	for call, o := range outputs {
		if o.err != nil {
			unread[call] = o.err.Error()
		}
		if o.raw == nil {
			continue
		}
		if err := write(call+".json", json.RawMessage(o.raw)); err != nil {
			return err
		}
	}
	if len(unread) > 0 {
		if err := write(unreadFile, unread); err != nil {
			return err
		}
	}
	return write(metaFile, map[string]string{"account": s.account, "region": s.region})
}
