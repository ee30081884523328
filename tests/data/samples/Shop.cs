using System;

namespace Shop
{
    [Serializable]
    public class Item
    {
        public string Name { get; set; } = "";

        public int Total(int count)
        {
            if (count < 0)
            {
                throw new ArgumentException($"bad {count}");
            }
            else
            {
                return count * 2;
            }
        }

        public override string ToString() => $"{Name}";
    }
}
