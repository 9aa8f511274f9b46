// Package integrations holds what puts Triad into other people's tools: a GitLab template and a
// hook for pre-commit, beside action.yml and .pre-commit-hooks.yaml at the root, where GitHub and
// pre-commit look for them. Its tests run the scripts that those files hold as the platforms run
// them, with the program built from this tree.
package integrations
