#include "actors/service.hpp"

int main() {
  return 0;
}
