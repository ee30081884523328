#!/bin/bash
greet() {
  local name=$1
  if [ -n "$name" ]; then
    echo "hello ${name}"
  else
    for x in a b; do
      echo "$x"
    done
  fi
}
case $1 in
  a) greet b ;;
esac
