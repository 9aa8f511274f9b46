package scan

import "time"

// Bounds on single files. A file past its bound is left out and the result says so.
const (
	// maxDatabase of a dpkg or apk database; 5,000 packages are near 6 MiB.
	maxDatabase = 128 << 20
	// maxRPM of an rpm database; a full workstation has some 250 MiB.
	maxRPM = 512 << 20
	// maxText of a package.json, METADATA, os-release, list of files.
	maxText = 16 << 20
	// maxLock of a lock file; those of the largest monorepos are near 10 MiB.
	maxLock = 32 << 20
	// maxArchive of a Java archive or wheel: it needs its end first, so it is spooled.
	maxArchive = 1 << 30
	// maxBinary of a Go program that is spooled; Kubernetes' largest are near 200 MiB.
	maxBinary = 1 << 30
	// maxNested is the depth of archives in archives; war in ear, jar in war are 3.
	maxNested = 5
	// maxNestedBytes of all archives inside one archive, uncompressed.
	maxNestedBytes = 2 << 30
	// maxMember of a text file inside an archive: pom.properties and manifests.
	maxMember = 1 << 20
	// maxMembers of all of them in one archive; a shaded one of 1,000 libraries has 1 MiB.
	maxMembers = 64 << 20
	// maxArchives inside one archive; the largest enterprise archives have some 500.
	maxArchives = 20_000
	// archiveTime for an archive with all those inside it.
	archiveTime = 2 * time.Minute
	// maxDirectory of an archive's own directory: 300,000 members.
	maxDirectory = 32 << 20
	// inMemory: files up to here are held in memory, larger ones spooled to the cache.
	inMemory = 8 << 20
	// maxFiles of one package that are kept; the largest (texlive) have some hundreds.
	maxFiles = 512
	// maxPackages of one file; the largest Go program in use has some 1,500 modules.
	maxPackages = 100_000
	// maxFindings of one inspector in one layer.
	maxFindings = 10_000
	// maxInspected of a file in a folder, which may be sparse or grow; a layer has its own bound.
	maxInspected = 4 << 30
	// maxUnread entries of one layer.
	maxUnread = 100
	// extractTime for one file; only damaged rpm databases ever come near it.
	extractTime = 60 * time.Second
)

// analyserVersion is part of the cache's key: raise it when a layer's record would differ.
const analyserVersion = "scan-4 osv-scalibr-0.5.3"
