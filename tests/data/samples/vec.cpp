#include <vector>

namespace a {
template <typename T>
class Vec : public Base<T> {
public:
  explicit Vec(int n) : n_(n) {}

  T sum() const {
    T total = 0;
    for (const auto &x : xs_) {
      if (x < 0)
        continue;
      total += x;
    }
    return total;
  }

private:
  int n_;
  std::vector<T> xs_{};
};
}  // namespace a
