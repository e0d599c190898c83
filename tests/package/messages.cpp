#include "messages/ids.hpp"

int main() {
  return 0;
}
