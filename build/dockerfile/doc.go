// Package dockerfile reads Dockerfiles. Parse knows every instruction with its exact lines,
// stages and variables; Check judges them (CIS Docker Benchmark section 4 and the practice
// that linters of Dockerfiles agree on); Map finds the line that made each layer of an image
// by the image's history; Inspector finds the Dockerfiles of a folder or image.
package dockerfile
