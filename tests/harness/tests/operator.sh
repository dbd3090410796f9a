#!/bin/sh
# Stands in for the operator: does what a test says. A file of the repository, because a program
# that was written a moment ago may still be open for writing elsewhere and then cannot be run.
eval "$SCRIPT"
