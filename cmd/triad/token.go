package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/server/api"
	"github.com/triad-security/triad/server/auth"
)

func newTokenCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make access tokens for people and collectors",
		Long: `A server takes no request without an access token. The owner of the data directory needs
none: commands on its machine use the socket in it.`,
		Example: "  triad token create alice",
	}
	cmd.AddCommand(newTokenCreateCommand(a))
	return cmd
}

func newTokenCreateCommand(a *app) *cobra.Command {
	var role string
	var scopes []string
	var lifetime time.Duration
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make an access token; its secret is shown once",
		Long: `Makes a token. The store keeps its SHA-256 only. A viewer reads, a collector reports the
scopes that it names and what lies below them, an admin does everything.`,
		Example: `  triad token create alice
  triad token create eu-cluster --role collector --scope kubernetes/8f3c --expires 720h`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if lifetime < time.Hour {
				return triad.Errorf(triad.CodeInvalid, "--expires %v is less than an hour", lifetime)
			}
			if role == auth.RoleCollector && len(scopes) == 0 {
				return triad.Errorf(triad.CodeInvalid, "a collector's token needs the scopes that it may report; name each with --scope, such as --scope aws/111122223333")
			}
			e, err := a.estate(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, e.Close()) }()
			created, err := e.NewToken(cmd.Context(), api.NewToken{Name: args[0], Role: role, Scopes: scopes, Hours: int(lifetime / time.Hour)})
			if err != nil {
				return err
			}
			a.say("token %q (%s), good until %s:", args[0], role, created.Expires.Format(time.RFC3339))
			return a.result(created, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, created.Secret)
				return err
			}, nil)
		},
	}
	f := cmd.Flags()
	f.StringVar(&role, "role", auth.RoleViewer, "viewer, collector or admin")
	f.StringArrayVar(&scopes, "scope", nil, "scope that a collector may report (repeatable)")
	f.DurationVar(&lifetime, "expires", 90*24*time.Hour, "lifetime, at most a year")
	return cmd
}
