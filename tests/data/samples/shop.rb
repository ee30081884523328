module Shop
  class Item < Thing
    attr_reader :name

    def total(count)
      sum = [1, 2].map do |n|
        n * count
      end
      return 0 unless sum
      while sum.size > 3 do
        sum.pop
      end
      "#{name}: #{sum}"
    end
  end
end
