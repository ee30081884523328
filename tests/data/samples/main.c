#include <stdio.h>

struct p {
  int x;
};

int main(void) {
  struct p a = {1};
  for (int i = 0; i < 3; i++) {
    printf("%d\n", a.x);
  }
  return 0;
}
