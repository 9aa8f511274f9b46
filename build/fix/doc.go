// Package fix says what to change so that most findings go away for the least change, and
// changes it. Advise finds for each package the lowest version that clears it, by asking the
// advisories again; CompareBase holds a base image against another; Dockerfile and Manifest
// turn that into edits of files, which Patch shows as a unified diff and writes whole or not
// at all, touching no other line.
package fix
