package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/scan"
)

func newScanRepoCommand(a *app, s *scanFlags) *cobra.Command {
	var branch string
	cmd := &cobra.Command{
		Use:   "repo URL|PATH",
		Short: "Scan a git repository, here or elsewhere",
		Long: `Scans the files of a repository: a working tree at PATH as it is, or the last commit of the
default branch at a URL (https, ssh or file), fetched without its history by the git program
into a folder that is removed afterwards. Nothing of the repository is run: no hooks,
no filters, no submodules. Ignore files in a fetched repository do not count unless they are
named by --ignore-file; those of a PATH do. Git's configuration is not used: credentials
come from the ssh agent or .netrc.`,
		Example: "  triad scan repo .\n  triad scan repo https://git.example.com/shop/web.git --branch main --format sarif",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			remote, err := remoteRepository(args[0])
			if err != nil {
				return err
			}
			if !remote {
				if branch != "" {
					return triad.Errorf(triad.CodeInvalid, "--branch is of a URL; a working tree is scanned as it is")
				}
				s.dir = args[0]
				return a.scan(cmd, s, func(ctx context.Context, scanner *scan.Scanner) (*scan.Result, error) {
					return scanner.Dir(ctx, args[0])
				})
			}
			s.fetched = true
			return a.scan(cmd, s, func(ctx context.Context, scanner *scan.Scanner) (*scan.Result, error) {
				dir, err := os.MkdirTemp("", "triad-repo-")
				if err != nil {
					return nil, err
				}
				defer func() { _ = os.RemoveAll(dir) }()
				if err := clone(ctx, args[0], branch, filepath.Join(dir, "tree")); err != nil {
					return nil, err
				}
				if err := os.RemoveAll(filepath.Join(dir, "tree", ".git")); err != nil {
					return nil, err
				}
				result, err := scanner.Dir(ctx, filepath.Join(dir, "tree"))
				if result != nil {
					result.Artifact.Name = args[0]
				}
				return result, err
			})
		},
	}
	s.fix.add(cmd.Flags())
	cmd.Flags().StringVar(&branch, "branch", "", "branch or tag to fetch; default the remote's own")
	return cmd
}

// remoteRepository says whether a target is a URL, and refuses those that git would take for
// a program to run (ext::, transports of its helpers) or that are not encrypted.
func remoteRepository(target string) (bool, error) {
	if strings.HasPrefix(target, "-") {
		return false, triad.Errorf(triad.CodeInvalid, "%q is neither a URL nor a path", target)
	}
	if strings.Contains(target, "::") {
		return false, triad.Errorf(triad.CodeInvalid, "%q names a helper of git's; give an https, ssh or file URL, or a path", target)
	}
	scheme, _, ok := strings.Cut(target, "://")
	if !ok {
		return false, nil
	}
	switch scheme {
	case "https", "ssh", "file":
	default:
		return false, triad.Errorf(triad.CodeInvalid, "repositories are fetched by https, ssh or file, not %s", scheme)
	}
	if u, err := url.Parse(target); err != nil || strings.HasPrefix(u.Host, "-") {
		return false, triad.Errorf(triad.CodeInvalid, "%q is not a URL", target)
	}
	return true, nil
}

// Bounds on a repository from elsewhere.
const (
	maxRepository = 8 << 30 // bytes on disk, the packed objects included
	slowSpeed     = "1000"  // bytes per second under which a transfer is given up after a minute
)

// clone fetches the last commit of a repository and lays its files out, running nothing of it.
func clone(ctx context.Context, address, branch, dir string) error {
	if strings.HasPrefix(branch, "-") {
		return triad.Errorf(triad.CodeInvalid, "--branch %q is not a branch", branch)
	}
	args := []string{
		// Neither the user's nor the machine's configuration may add hooks or filters.
		"-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.symlinks=false", "-c", "core.protectNTFS=true",
		"-c", "transfer.fsckObjects=true", "-c", "http.lowSpeedLimit=" + slowSpeed, "-c", "http.lowSpeedTime=60",
		"clone", "--quiet", "--depth=1", "--single-branch", "--no-tags", "--no-recurse-submodules", "--template=",
	}
	if branch != "" {
		args = append(args, "--branch="+branch)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	git := exec.CommandContext(ctx, "git", append(args, "--", address, dir)...)
	git.Env = append(os.Environ(),
		"GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=true", "GIT_ALLOW_PROTOCOL=https:ssh:file", "GIT_LFS_SKIP_SMUDGE=1", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null")
	var said strings.Builder
	git.Stderr = &boundedWriter{&said, 4096}
	git.WaitDelay = 5 * time.Second
	done := make(chan struct{})
	go watchSize(ctx, dir, cancel, done)
	err := git.Run()
	close(done)
	if cause := context.Cause(ctx); cause != nil && err != nil {
		return cause
	}
	if err != nil {
		if text := strings.TrimSpace(said.String()); text != "" {
			return fmt.Errorf("fetching %s: %s", address, strings.Join(strings.Fields(text), " "))
		}
		return fmt.Errorf("fetching %s by the git program: %w", address, err)
	}
	return nil
}

// watchSize ends a transfer that fills the disk.
func watchSize(ctx context.Context, dir string, cancel context.CancelCauseFunc, done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		case <-ctx.Done():
			return
		case <-time.After(2 * time.Second):
		}
		var size int64
		_ = filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
			if err != nil || ctx.Err() != nil {
				return nil //nolint:nilerr // files come and go while git works
			}
			if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
				size += info.Size()
			}
			return nil
		})
		if size > maxRepository {
			cancel(triad.Errorf(triad.CodeInvalid, "the repository is larger than %d bytes; clone it and scan its folder", int64(maxRepository)))
			return
		}
	}
}

// boundedWriter keeps the first bytes of what a program says.
type boundedWriter struct {
	b    *strings.Builder
	left int
}

func (w *boundedWriter) Write(p []byte) (int, error) {
	n := min(len(p), w.left)
	w.b.Write(p[:n])
	w.left -= n
	return len(p), nil
}
